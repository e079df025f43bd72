//! Servers on Unix sockets.

use std::path::Path;

use trunkline_core::Status;
use trunkline_transport::UnixListener;

use super::builder::cannot_listen;
use super::{Server, ServerBuilder};

impl ServerBuilder {
    /// Listens on a Unix socket and makes the server. Its file is removed when the server stops.
    ///
    /// A file that a killed server left behind is replaced. Who may connect is decided by the
    /// permissions of the file, which the umask sets, and of its folder. Handlers find user, group
    /// and process of a client in [`Peer::unix_credentials`](trunkline_transport::Peer::unix_credentials).
    ///
    /// Errors: UNAVAILABLE when somebody listens there already, something else is in the way, or
    /// the path is none for a socket, with the path in the text; those of [`listen`](Self::listen).
    pub async fn bind_unix(self, path: impl AsRef<Path>) -> Result<Server, Status> {
        let listener = UnixListener::bind(path).await;
        self.listen(listener.map_err(|error| cannot_listen(&format!("on {error}"), error))?)
    }

    /// Listens on a name in Linux's abstract namespace and makes the server. There is no file and
    /// no permission: everybody in the same network namespace may connect.
    ///
    /// Errors: UNAVAILABLE when somebody has the name or it is none, or off Linux; those of
    /// [`listen`](Self::listen).
    pub fn bind_unix_abstract(self, name: impl AsRef<[u8]>) -> Result<Server, Status> {
        let listener = UnixListener::bind_abstract(name);
        self.listen(listener.map_err(|error| cannot_listen(&format!("on {error}"), error))?)
    }
}
