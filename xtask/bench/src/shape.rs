//! The shapes of calls: the methods of proto/echo.proto.

use crate::echo::{Message, Order};
use crate::wire::template;
use std::str::FromStr;
use std::sync::Arc;

/// What a call looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One message each way.
    Unary,
    /// The same, with payloads that need not be copied.
    Large,
    /// A stream of messages that are all there.
    Ready,
    /// A stream of messages that another task sends through a channel.
    Channel,
    /// A stream of messages whose payloads need not be copied.
    Download,
    /// A stream of messages, and one in answer.
    Upload,
    /// A message back for each.
    PingPong,
}

const SHAPES: &[(Shape, &str, &str)] = &[
    (Shape::Unary, "unary", "Unary"),
    (Shape::Large, "large", "Large"),
    (Shape::Ready, "ready", "Ready"),
    (Shape::Channel, "channel", "Channel"),
    (Shape::Download, "download", "Download"),
    (Shape::Upload, "upload", "Upload"),
    (Shape::PingPong, "ping-pong", "PingPong"),
];

impl Shape {
    /// `/bench.Echo/…`
    #[must_use]
    pub fn path(self) -> String {
        let known = SHAPES.iter().find(|(shape, ..)| *shape == self);
        format!("/bench.Echo/{}", known.map_or("", |(.., method)| method))
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = SHAPES.iter().find(|(_, known, _)| *known == name);
        known
            .map(|(shape, ..)| *shape)
            .ok_or_else(|| format!("no shape is called {name:?}"))
    }
}

/// A shape in bytes: what goes out, and what has to come back.
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    /// The request's messages, repeated as needed.
    pub(crate) request: Arc<[u8]>,
    /// One message of it with its prefix.
    pub(crate) request_unit: u64,
    /// All of it; of a ping-pong the first message.
    pub(crate) request_bytes: u64,
    /// One message of the answer with its prefix.
    pub(crate) answer: Arc<[u8]>,
    pub(crate) answer_unit: u64,
    /// All of it; a ping-pong has no end.
    pub(crate) answer_bytes: Option<u64>,
    /// How many messages the whole call counts as, where they are counted at its end.
    pub(crate) units_at_end: u64,
}

impl Plan {
    pub(crate) fn new(shape: Shape, payload: usize, messages: u64) -> Self {
        let message = Message {
            payload: vec![0x5a; payload],
        };
        let order = Order {
            messages: messages as i64,
            payload_bytes: payload as i32,
        };
        let (many, unit) = template(&message);
        let (order, order_bytes) = template(&order);
        let (empty, empty_bytes) = template(&Message::default());
        let is_streamed = matches!(shape, Shape::Ready | Shape::Channel | Shape::Download);
        let (request, request_unit, request_bytes) = match shape {
            _ if is_streamed => (order, order_bytes, order_bytes),
            Shape::Upload => (many.clone(), unit, unit * messages),
            _ => (many.clone(), unit, unit),
        };
        let (answer, answer_unit, answer_bytes) = match shape {
            _ if is_streamed => (many, unit, Some(unit * messages)),
            Shape::Upload => (empty, empty_bytes, Some(empty_bytes)),
            Shape::PingPong => (many, unit, None),
            _ => (many, unit, Some(unit)),
        };
        Self {
            shape,
            request,
            request_unit,
            request_bytes,
            answer,
            answer_unit,
            answer_bytes,
            units_at_end: match shape {
                Shape::Unary | Shape::Large => 1,
                Shape::Upload => messages,
                _ => 0,
            },
        }
    }
}
