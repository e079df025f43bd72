//! The one RPC of reflection, in both of its versions.

use std::collections::{BTreeSet, HashSet};

use trunkline_core::Status;

use super::generated::grpc::reflection::v1::server_reflection_request::MessageRequest;
use super::generated::grpc::reflection::v1::server_reflection_response::MessageResponse;
use super::generated::grpc::reflection::v1::{
    self, ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};
use super::generated::grpc::reflection::v1alpha;
use super::index::{Id, Index};
use crate::rpc::RequestContext;
use crate::stream::{Receiver, Sender};

/// The code NOT_FOUND, as an [`ErrorResponse`] has it.
const NOT_FOUND: i32 = 5;

/// How much of a name that is not known goes into the text of the error. Units: characters.
const NAME_SHOWN: usize = 200;

/// What a server tells of itself.
pub(super) struct Reflected {
    index: Index,
    /// Sorted.
    services: BTreeSet<&'static str>,
}

impl Reflected {
    pub(super) fn new(index: Index, services: impl IntoIterator<Item = &'static str>) -> Self {
        let services = services.into_iter().collect();
        Self { index, services }
    }

    /// Answers one request after the other until the client is done. One that never is ends with the
    /// server's stop and does not hold it up.
    async fn serve(
        &self,
        cx: &RequestContext,
        mut requests: Receiver<ServerReflectionRequest>,
        mut responses: Sender<ServerReflectionResponse>,
    ) -> Result<(), Status> {
        let mut sent = HashSet::new();
        let stop = cx.stop_signal();
        while let Some(received) = stop.unless(requests.recv()).await {
            let Some(request) = received? else {
                return Ok(());
            };
            let Some(asked) = &request.message_request else {
                return Err(Status::invalid_argument("the request asks for nothing"));
            };
            let answer = self
                .answer(asked, &mut sent)
                .unwrap_or_else(|what| not_found(&what));
            let response = ServerReflectionResponse {
                valid_host: request.host.clone(),
                original_request: Some(request),
                message_response: Some(answer),
            };
            if let Some(failed) = stop.unless(responses.send(&response)).await {
                failed?;
            }
        }
        Err(Status::unavailable("the server is stopping"))
    }

    /// The answer, or what is not known.
    fn answer(
        &self,
        asked: &MessageRequest,
        sent: &mut HashSet<Id>,
    ) -> Result<MessageResponse, String> {
        let index = &self.index;
        let file = match asked {
            MessageRequest::FileByFilename(name) => index
                .file(name)
                .ok_or_else(|| format!("file {}", shown(name))),
            MessageRequest::FileContainingSymbol(name) => index
                .symbol(name)
                .ok_or_else(|| format!("symbol {}", shown(name))),
            MessageRequest::FileContainingExtension(asked) => {
                let (of, number) = (&asked.containing_type, asked.extension_number);
                index
                    .extension(of, number)
                    .ok_or_else(|| format!("extension {number} of {}", shown(of)))
            }
            MessageRequest::AllExtensionNumbersOfType(of) => {
                let numbers = index
                    .extension_numbers(of)
                    .ok_or_else(|| format!("message {}", shown(of)))?;
                return Ok(MessageResponse::AllExtensionNumbersResponse(
                    ExtensionNumberResponse {
                        base_type_name: of.clone(),
                        extension_number: numbers,
                    },
                ));
            }
            MessageRequest::ListServices(_) => return Ok(self.list()),
        };
        let files = index.with_imports(file?, sent);
        Ok(MessageResponse::FileDescriptorResponse(
            FileDescriptorResponse {
                file_descriptor_proto: files,
            },
        ))
    }

    fn list(&self) -> MessageResponse {
        let each = self.services.iter().map(|&name| ServiceResponse {
            name: name.to_owned(),
        });
        MessageResponse::ListServicesResponse(ListServiceResponse {
            service: each.collect(),
        })
    }
}

impl v1::ServerReflection for Reflected {
    async fn server_reflection_info(
        &self,
        cx: &RequestContext,
        requests: Receiver<ServerReflectionRequest>,
        responses: Sender<ServerReflectionResponse>,
    ) -> Result<(), Status> {
        self.serve(cx, requests, responses).await
    }
}

impl v1alpha::ServerReflection for Reflected {
    async fn server_reflection_info(
        &self,
        cx: &RequestContext,
        requests: Receiver<ServerReflectionRequest>,
        responses: Sender<ServerReflectionResponse>,
    ) -> Result<(), Status> {
        self.serve(cx, requests, responses).await
    }
}

fn not_found(what: &str) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse {
        error_code: NOT_FOUND,
        error_message: format!("{what} is not known here"),
    })
}

fn shown(name: &str) -> String {
    let start: String = name.chars().take(NAME_SHOWN).collect();
    let more = if start.len() < name.len() { "…" } else { "" };
    format!("{start:?}{more}")
}
