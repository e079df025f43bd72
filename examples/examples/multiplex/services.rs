//! The two services. Their handlers wait a little now and then, as handlers with something to do
//! would, and note on which connection they were called.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use trunkline::{RequestContext, Response, Status, server};
use trunkline_examples::multiplex::{Number, Numbers, Text, Words};

/// How long a handler takes for one message.
const PAUSE: Duration = Duration::from_millis(6);

/// How many calls of each method came over each connection: keyed by the address at the client's
/// end, which is another one for every connection, and by path.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<BTreeMap<String, BTreeMap<&'static str, usize>>>);

impl Seen {
    fn note(&self, cx: &RequestContext) {
        let peer = cx.peer().address().to_string();
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *calls
            .entry(peer)
            .or_default()
            .entry(cx.method().path)
            .or_default() += 1;
    }

    /// The connections with their calls of each method.
    pub(crate) fn connections(&self) -> BTreeMap<String, BTreeMap<&'static str, usize>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// `multiplex.Numbers`.
pub(crate) struct Calculator(pub(crate) Arc<Seen>);

impl Numbers for Calculator {
    async fn square(
        &self,
        cx: &RequestContext,
        request: Number,
    ) -> Result<Response<Number>, Status> {
        self.0.note(cx);
        sleep(3 * PAUSE).await;
        let square = i32::try_from(request.value)
            .ok()
            .and_then(|n| n.checked_mul(n));
        let too_large = || Status::out_of_range(format!("{}² is too large", request.value));
        Ok(number(square.ok_or_else(too_large)?.into()).into())
    }

    async fn count_down(
        &self,
        cx: &RequestContext,
        request: Number,
        mut numbers: server::Sender<Number>,
    ) -> Result<(), Status> {
        self.0.note(cx);
        for value in (1..=request.value).rev() {
            numbers.send(&number(value)).await?;
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn sum(
        &self,
        cx: &RequestContext,
        mut numbers: server::Receiver<Number>,
    ) -> Result<Response<Number>, Status> {
        self.0.note(cx);
        let mut sum = 0;
        while let Some(number) = numbers.recv().await? {
            sum += number.value;
            sleep(PAUSE).await;
        }
        Ok(number(sum).into())
    }

    async fn running_total(
        &self,
        cx: &RequestContext,
        mut numbers: server::Receiver<Number>,
        mut totals: server::Sender<Number>,
    ) -> Result<(), Status> {
        self.0.note(cx);
        let mut total = 0;
        while let Some(number) = numbers.recv().await? {
            total += number.value;
            totals.send(&self::number(total)).await?;
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// `multiplex.Words`.
pub(crate) struct Typist(pub(crate) Arc<Seen>);

impl Words for Typist {
    async fn reverse(&self, cx: &RequestContext, request: Text) -> Result<Response<Text>, Status> {
        self.0.note(cx);
        sleep(2 * PAUSE).await;
        Ok(text(request.text.chars().rev().collect()).into())
    }

    async fn split(
        &self,
        cx: &RequestContext,
        request: Text,
        mut words: server::Sender<Text>,
    ) -> Result<(), Status> {
        self.0.note(cx);
        for word in request.text.split_whitespace() {
            words.send(&text(word.to_owned())).await?;
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn join(
        &self,
        cx: &RequestContext,
        mut words: server::Receiver<Text>,
    ) -> Result<Response<Text>, Status> {
        self.0.note(cx);
        let mut all = Vec::new();
        while let Some(word) = words.recv().await? {
            all.push(word.text);
        }
        sleep(2 * PAUSE).await;
        Ok(text(all.join(" ")).into())
    }

    async fn shout(
        &self,
        cx: &RequestContext,
        mut texts: server::Receiver<Text>,
        mut shouts: server::Sender<Text>,
    ) -> Result<(), Status> {
        self.0.note(cx);
        while let Some(said) = texts.recv().await? {
            sleep(PAUSE).await;
            shouts.send(&text(said.text.to_uppercase())).await?;
        }
        Ok(())
    }
}

pub(crate) const fn number(value: i64) -> Number {
    Number { value }
}

pub(crate) const fn text(text: String) -> Text {
    Text { text }
}
