//! A handler as users write it, and calls as users make them.

use crate::codegen::client::Channel;
use crate::codegen::server::{GrpcService, MethodTable, Receiver, RequestContext, Sender};
use crate::codegen::{Response, Status};
use crate::guide::{
    Area, Feature, Guide, GuideClient, GuideServer, Note, Point, Summary, guide::SERVICE,
};

/// Serves `guide.Guide` and calls it.
#[derive(Debug)]
pub struct Tour {
    last: std::sync::Mutex<Point>,
}

impl Guide for Tour {
    async fn get_feature(
        &self,
        _cx: &RequestContext,
        request: Point,
    ) -> Result<Response<Feature>, Status> {
        let feature = Feature {
            at: Some(request),
            ..Feature::default()
        };
        Ok(feature.into())
    }

    async fn list_features(
        &self,
        _cx: &RequestContext,
        request: Area,
        responses: Sender<Feature>,
    ) -> Result<(), Status> {
        let _ = (request, responses);
        Ok(())
    }

    async fn record_route(
        &self,
        _cx: &RequestContext,
        requests: Receiver<Point>,
    ) -> Result<Response<Summary>, Status> {
        let _ = requests;
        Ok(Summary::default().into())
    }

    async fn chat(
        &self,
        _cx: &RequestContext,
        requests: Receiver<Note>,
        responses: Sender<Note>,
    ) -> Result<(), Status> {
        let _ = (requests, responses);
        Ok(())
    }

    async fn lookup(
        &self,
        cx: &RequestContext,
        request: Point,
    ) -> Result<Response<Feature>, Status> {
        if let Ok(mut last) = self.last.lock() {
            *last = request;
        }
        self.get_feature(cx, request).await
    }
}

impl Tour {
    /// Registers and calls.
    pub fn everything(self, channel: &Channel) -> &'static str {
        let server = GuideServer::new(self);
        server.clone().register(&mut MethodTable);
        let client = GuideClient::new(channel.clone());
        let _ = client.get_feature(Point::default());
        let _ = client.list_features(Area::default());
        let _ = client.record_route();
        let _ = client.chat();
        #[expect(deprecated, reason = "the .proto file says so")]
        let _ = client.lookup(Point::default());
        server
            .descriptor()
            .methods
            .first()
            .map_or(SERVICE.name, |method| method.path)
    }
}
