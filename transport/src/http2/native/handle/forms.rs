//! The forms of requests that calls on one connection share.

use std::sync::Arc;

use http::HeaderValue;
use trunkline_core::{Encoding, Status};

use crate::http2::RequestHead;
use crate::http2::native::head::{RequestForm, write};
use crate::sync::OnceLock;

/// Of so many methods: each is looked for, and those of later ones are made with each call.
const KEPT: usize = 8;

/// The forms of the first methods that were called, so that a call neither makes nor moves one.
#[derive(Debug, Default)]
pub(super) struct KnownForms([OnceLock<Arc<RequestForm>>; KEPT]);

impl KnownForms {
    /// The form of this head.
    ///
    /// # Errors
    /// INTERNAL if the method's path cannot be a `:path`.
    pub(super) fn form(
        &self,
        head: &RequestHead<'_>,
        https: bool,
    ) -> Result<Arc<RequestForm>, Status> {
        for place in &self.0 {
            match place.get() {
                Some(known) if is_of(known, head) => return Ok(Arc::clone(known)),
                Some(_) => {}
                None => {
                    let form = Arc::new(write::request_form(head, https)?);
                    // If another call was faster with the same one, it is there twice.
                    let _ = place.set(Arc::clone(&form));
                    return Ok(form);
                }
            }
        }
        write::request_form(head, https).map(Arc::new)
    }
}

/// Whether it is that of this head. Mostly all of it lies at the same place in memory.
#[inline]
fn is_of(form: &RequestForm, head: &RequestHead<'_>) -> bool {
    let encoding = form.encoding.as_ref().map(Encoding::header_value);
    is_same(form.path.as_bytes(), head.path.as_bytes())
        && is_same(form.subtype.as_bytes(), head.subtype.as_bytes())
        && is_same(
            form.authority.as_str().as_bytes(),
            head.authority.as_str().as_bytes(),
        )
        && is_same_value(encoding, head.encoding.map(Encoding::header_value))
        && is_same_value(form.accept_encoding.as_ref(), head.accept_encoding)
        && is_same_value(Some(&form.user_agent), Some(head.user_agent))
}

#[inline]
fn is_same(text: &[u8], other: &[u8]) -> bool {
    std::ptr::eq(text, other) || text == other
}

#[inline]
fn is_same_value(value: Option<&HeaderValue>, other: Option<&HeaderValue>) -> bool {
    match (value, other) {
        (Some(value), Some(other)) => {
            value.is_sensitive() == other.is_sensitive()
                && is_same(value.as_bytes(), other.as_bytes())
        }
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::uri::Authority;
    use trunkline_core::Metadata;

    use super::*;

    #[test]
    fn calls_that_begin_alike_share_their_form_and_others_do_not() {
        let forms = KnownForms::default();
        let [authority, other] = ["a", "A"].map(Authority::from_static);
        let user_agent = HeaderValue::from_static("test");
        let metadata = Metadata::new();
        let head = RequestHead {
            path: "/a/B",
            authority: &authority,
            subtype: "proto",
            encoding: None,
            accept_encoding: None,
            timeout: None,
            user_agent: &user_agent,
            metadata: &metadata,
        };
        let first = forms.form(&head, true).unwrap();
        assert!(Arc::ptr_eq(&first, &forms.form(&head, true).unwrap()));
        let mut heads = [head; 5];
        heads[0].path = "/a/C";
        // Equal to the first for `Authority`, but not on the wire.
        heads[1].authority = &other;
        heads[2].subtype = "json";
        heads[3].accept_encoding = Some(&user_agent);
        let agent = HeaderValue::from_static("another");
        heads[4].user_agent = &agent;
        for head in &heads {
            let form = forms.form(head, true).unwrap();
            assert_eq!(form.path, head.path);
            assert_eq!(form.authority.as_str(), head.authority.as_str());
            assert_eq!(form.subtype, head.subtype);
            assert_eq!(form.accept_encoding.as_ref(), head.accept_encoding);
            assert_eq!(&form.user_agent, head.user_agent);
        }
    }

    #[test]
    fn of_many_methods_the_first_are_kept_and_all_are_right() {
        const PATHS: [&str; 12] = [
            "/a/0", "/a/1", "/a/2", "/a/3", "/a/4", "/a/5", "/a/6", "/a/7", "/a/8", "/a/9",
            "/a/10", "/a/11",
        ];
        let forms = KnownForms::default();
        let authority = Authority::from_static("a");
        let user_agent = HeaderValue::from_static("test");
        let metadata = Metadata::new();
        let form = |path| {
            let head = RequestHead {
                path,
                authority: &authority,
                subtype: "",
                encoding: None,
                accept_encoding: None,
                timeout: None,
                user_agent: &user_agent,
                metadata: &metadata,
            };
            forms.form(&head, false)
        };
        let first = PATHS.map(|path| form(path).unwrap());
        let again = PATHS.map(|path| form(path).unwrap());
        for (number, (path, (first, again))) in
            PATHS.iter().zip(first.iter().zip(&again)).enumerate()
        {
            assert_eq!((first.path, again.path), (*path, *path));
            assert_eq!(Arc::ptr_eq(first, again), number < KEPT);
        }
        assert!(form("no path").is_err());
    }
}
