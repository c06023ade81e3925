//! A door before the REST server that a test can shut, in each of the ways in which a database is away.

use ordak_e2e::{Failure, Outcome};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the door does with who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Lets everything through.
    Open,
    /// Turns everybody away.
    Refusing,
    /// Takes what comes and never says a word.
    Silent,
    /// Passes on what comes and keeps the answers back.
    Mute,
}

/// The door. It goes when it is dropped.
pub struct Door {
    /// Where it stands.
    pub url: String,
    way: watch::Sender<Way>,
}

impl Door {
    /// An open door before a server.
    pub async fn before(server: &str) -> Outcome<Self> {
        let target =
            server.strip_prefix("http://").ok_or_else(|| Failure::new("not a plain http address"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (way, seen) = watch::channel(Way::Open);
        tokio::spawn(keep(listener, target.to_owned(), seen));
        Ok(Self { url, way })
    }

    /// From now on it does this, with who stands in it as well.
    pub fn turn(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn keep(listener: TcpListener, target: String, mut way: watch::Receiver<Way>) {
    let mut gone = way.clone();
    loop {
        tokio::select! {
            // The door itself was dropped.
            _ = gone.wait_for(|_| false) => return,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                let now = *way.borrow_and_update();
                tokio::spawn(pass(stream, target.clone(), now, way.clone()));
            }
        }
    }
}

async fn pass(mut stream: TcpStream, target: String, now: Way, mut way: watch::Receiver<Way>) {
    let passing = async {
        match now {
            Way::Refusing => {}
            Way::Silent => std::future::pending().await,
            Way::Open => {
                if let Ok(mut server) = TcpStream::connect(&target).await {
                    let _ = copy_bidirectional(&mut stream, &mut server).await;
                }
            }
            Way::Mute => {
                if let Ok(mut server) = TcpStream::connect(&target).await {
                    let _ = tokio::io::copy(&mut stream, &mut server).await;
                    std::future::pending().await
                }
            }
        }
    };
    tokio::select! {
        () = passing => {}
        _ = way.changed() => {}
    }
}
