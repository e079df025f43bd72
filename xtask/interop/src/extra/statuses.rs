//! What a status carries: text of any characters, and details.

use super::messages::{Chunk, ExtraServiceClient, FailRequest};
use super::service::CHUNK;
use crate::cases::{Verdict, expect, expect_failure};
use trunkline::{Code, Status};

/// Their escapes have to fit a header block.
const CHARACTERS_A_CALL: usize = 256;

/// A megabyte of details: no header block may be as long.
const TOO_LONG: i32 = 1 << 20;

/// Every character there is comes back in the text of a status.
pub(super) async fn messages(client: &ExtraServiceClient) -> Verdict {
    let all: Vec<char> = (char::MIN..=char::MAX).collect();
    for some in all.chunks(CHARACTERS_A_CALL) {
        let message: String = some.iter().collect();
        let status = fail(client, Code::FailedPrecondition, &message, 0).await?;
        expect("text", &status.message(), &message.as_str())?;
    }
    Ok(())
}

/// Details arrive, and those that are too long take the connection of other calls with them no more than the call.
pub(super) async fn details(client: &ExtraServiceClient) -> Verdict {
    let status = fail(client, Code::NotFound, "no such thing", 1_000).await?;
    let details = status.unpack_details().map_err(Status::from_error)?;
    let names: Vec<&str> = details.iter().map(|detail| detail.name()).collect();
    expect("details", &names, &vec![CHUNK])?;
    for detail in &details {
        let chunk: Chunk = detail.decode_as().map_err(Status::from_error)?;
        expect("bytes in the detail", &chunk.body, &vec![0; 1_000])?;
    }
    // Who refuses them, and how, differs: a peer that cannot send them, or our limit of a header block.
    let request = FailRequest {
        code: code_number(Code::NotFound),
        message: "no such thing".to_owned(),
        detail_bytes: TOO_LONG,
    };
    let result = client.fail(request).await;
    expect("an error", &result.is_err(), &true)?;
    super::metadata::metadata(client).await
}

async fn fail(
    client: &ExtraServiceClient,
    code: Code,
    message: &str,
    detail_bytes: i32,
) -> Result<Status, crate::Failure> {
    let request = FailRequest {
        code: code_number(code),
        message: message.to_owned(),
        detail_bytes,
    };
    expect_failure(client.fail(request).await, code)
}

fn code_number(code: Code) -> i32 {
    i32::try_from(code.number()).unwrap_or(2)
}
