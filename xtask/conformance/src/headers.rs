//! Metadata as the judge writes it down.

use crate::messages::Header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use trunkline::{Metadata, MetadataError, MetadataValue};

/// One entry that is to be sent.
pub(crate) enum Entry<'a> {
    Text(String, &'a str),
    Bytes(String, Vec<u8>),
}

/// What the judge wants to be sent. It writes names as HTTP/1 does; a `-bin` value that is no base64 is left out.
pub(crate) fn entries(headers: &[Header]) -> impl Iterator<Item = Entry<'_>> {
    let pairs = headers.iter().flat_map(|header| {
        let values = header.value.iter();
        values.map(|value| (header.name.to_ascii_lowercase(), value.as_str()))
    });
    pairs.filter_map(|(name, value)| {
        if !name.ends_with("-bin") {
            return Some(Entry::Text(name, value));
        }
        let bytes = STANDARD_NO_PAD.decode(value.trim_end_matches('=')).ok()?;
        Some(Entry::Bytes(name, bytes))
    })
}

/// Adds all that the judge wants to be sent.
pub(crate) fn add(headers: &[Header], to: &mut Metadata) -> Result<(), MetadataError> {
    for entry in entries(headers) {
        match entry {
            Entry::Text(name, value) => to.append(&name, value)?,
            Entry::Bytes(name, value) => to.append_bin(&name, value)?,
        }
    }
    Ok(())
}

/// What was received, each key once, as the judge wants to be told.
pub(crate) fn told(metadata: &Metadata) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for (name, value) in metadata.iter() {
        let value = match value {
            MetadataValue::Ascii(text) => text.to_owned(),
            MetadataValue::Binary(bytes) => STANDARD_NO_PAD.encode(bytes),
        };
        match headers.iter_mut().find(|header| header.name == name) {
            Some(header) => header.value.push(value),
            None => headers.push(Header {
                name: name.to_owned(),
                value: vec![value],
            }),
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_either_kind_come_back_as_they_went() {
        let headers = [
            Header {
                name: "X-Custom".to_owned(),
                value: vec!["a".to_owned(), "b".to_owned()],
            },
            Header {
                name: "x-raw-bin".to_owned(),
                value: vec!["AAE".to_owned()],
            },
        ];
        let mut metadata = Metadata::new();
        add(&headers, &mut metadata).unwrap();
        assert_eq!(metadata.get_bin("x-raw-bin").as_deref(), Some(&[0, 1][..]));
        let told = told(&metadata);
        assert_eq!(told[0].name, "x-custom");
        assert_eq!(told[0].value, headers[0].value);
        assert_eq!(told[1], headers[1]);
    }
}
