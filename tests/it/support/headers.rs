//! Header blocks as a test writes them, field by field and split as it likes, and as it reads them.

use std::fmt;

use super::frame::{
    CONTINUATION, END_HEADERS, END_STREAM, HEADERS, MAX_FRAME, PADDED, PRIORITIZED, Wire,
};
use super::hpack::{Form, write_field, write_index, write_resize};

/// HEADERS in the making; becomes CONTINUATION frames too where it is long.
#[derive(Clone, Debug)]
pub(crate) struct Headers {
    stream: u32,
    fields: Vec<Field>,
    end_stream: bool,
    padding: Option<u8>,
    prioritized: bool,
    splits: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Field {
    Written(Form, Vec<u8>, Vec<u8>),
    /// From a table.
    Indexed(usize),
    /// The table shall have this size from now on.
    Resize(usize),
}

/// Begins a header block.
pub(crate) const fn headers(stream: u32) -> Headers {
    Headers {
        stream,
        fields: Vec::new(),
        end_stream: false,
        padding: None,
        prioritized: false,
        splits: Vec::new(),
    }
}

/// The trailers of an RPC that ended with this code: nothing follows them.
pub(crate) fn trailers(stream: u32, code: u32) -> Headers {
    headers(stream).field("grpc-status", code.to_string()).end()
}

/// The head of a gRPC request.
pub(crate) fn request(stream: u32, path: &str) -> Headers {
    headers(stream)
        .field(":method", "POST")
        .field(":scheme", "http")
        .field(":path", path)
        .field(":authority", "test")
        .field("te", "trailers")
        .grpc()
}

impl Headers {
    /// One more field, unchecked, as a literal.
    pub(crate) fn field(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.field_as(Form::default(), name, value)
    }

    /// One more field, unchecked, written this way.
    pub(crate) fn field_as(
        mut self,
        form: Form,
        name: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Self {
        let (name, value) = (name.as_ref().to_vec(), value.as_ref().to_vec());
        self.fields.push(Field::Written(form, name, value));
        self
    }

    /// All fields so far written this way.
    pub(crate) fn all_as(mut self, form: Form) -> Self {
        for field in &mut self.fields {
            if let Field::Written(each, ..) = field {
                *each = form;
            }
        }
        self
    }

    /// One more field by its index: 1 to 61 are fixed, 62 is the newest of the dynamic table.
    pub(crate) fn index(mut self, index: usize) -> Self {
        self.fields.push(Field::Indexed(index));
        self
    }

    /// A change of the dynamic table's size, at this place.
    pub(crate) fn resize(mut self, bytes: usize) -> Self {
        self.fields.push(Field::Resize(bytes));
        self
    }

    /// Leaves a field out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(
            |field| !matches!(field, Field::Written(_, each, _) if each == name.as_bytes()),
        );
        self
    }

    /// Another value for a field that is there, in its place.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        for field in &mut self.fields {
            match field {
                Field::Written(_, each, old) if each == name.as_bytes() => {
                    *old = value.as_bytes().to_vec();
                }
                Field::Written(..) | Field::Indexed(_) | Field::Resize(_) => {}
            }
        }
        self
    }

    /// `:status`.
    pub(crate) fn status(self, http: u16) -> Self {
        self.field(":status", http.to_string())
    }

    /// `content-type: application/grpc`.
    pub(crate) fn grpc(self) -> Self {
        self.field("content-type", "application/grpc")
    }

    /// END_STREAM: nothing follows.
    pub(crate) const fn end(mut self) -> Self {
        self.end_stream = true;
        self
    }

    /// Padding in the first frame.
    pub(crate) const fn padded(mut self, bytes: u8) -> Self {
        self.padding = Some(bytes);
        self
    }

    /// The fields of priority in the first frame.
    pub(crate) const fn prioritized(mut self) -> Self {
        self.prioritized = true;
        self
    }

    /// CONTINUATION begins at each of these bytes of the block; the same one twice makes an empty
    /// one.
    pub(crate) fn split(mut self, at: &[usize]) -> Self {
        self.splits = at.to_vec();
        self
    }

    /// The block without any frame.
    pub(crate) fn block(&self) -> Vec<u8> {
        let mut block = Vec::new();
        for field in &self.fields {
            match field {
                Field::Written(form, name, value) => write_field(&mut block, *form, name, value),
                Field::Indexed(index) => write_index(&mut block, *index),
                Field::Resize(bytes) => write_resize(&mut block, *bytes),
            }
        }
        block
    }
}

impl From<Headers> for Wire {
    fn from(headers: Headers) -> Self {
        let block = headers.block();
        let mut pieces: Vec<&[u8]> = Vec::new();
        let (mut rest, mut done) = (&block[..], 0);
        for at in &headers.splits {
            let (piece, after) = rest.split_at(at - done);
            pieces.push(piece);
            (rest, done) = (after, *at);
        }
        // Room for what surrounds the block in the first frame.
        let overhead = 1 + usize::from(headers.padding.unwrap_or(0)) + 5;
        let room = MAX_FRAME - if pieces.is_empty() { overhead } else { 0 };
        pieces.extend(rest.chunks(room));
        if rest.is_empty() {
            pieces.push(&[]);
        }
        let last = pieces.len() - 1;
        let mut wire = Self::default();
        for (number, piece) in pieces.into_iter().enumerate() {
            let end = if number == last { END_HEADERS } else { 0 };
            wire = wire.and(if number == 0 {
                let (flags, payload) = headers.first(piece);
                Self::frame(HEADERS, flags | end, headers.stream, &payload)
            } else {
                Self::frame(CONTINUATION, end, headers.stream, piece)
            });
        }
        wire
    }
}

impl Headers {
    /// Flags and payload of the first frame around this much of the block.
    fn first(&self, piece: &[u8]) -> (u8, Vec<u8>) {
        let mut flags = if self.end_stream { END_STREAM } else { 0 };
        let mut payload = Vec::new();
        if let Some(padding) = self.padding {
            flags |= PADDED;
            payload.push(padding);
        }
        if self.prioritized {
            flags |= PRIORITIZED;
            // Exclusive, on stream 0, with some weight.
            payload.extend([0x80, 0, 0, 0, 77]);
        }
        payload.extend_from_slice(piece);
        payload.resize(payload.len() + usize::from(self.padding.unwrap_or(0)), 0);
        (flags, payload)
    }
}

/// The fields of a header block that the other side sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(pub(crate) Vec<(String, String)>);

impl Fields {
    /// The first value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        fields
            .find(|(each, _)| each == name)
            .map(|(_, value)| value.as_str())
    }

    /// `:status`.
    pub(crate) fn http_status(&self) -> u16 {
        self.get(":status").map_or(0, |text| text.parse().unwrap())
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}: {value}"));
        f.write_str(&each.collect::<Vec<_>>().join(", "))
    }
}
