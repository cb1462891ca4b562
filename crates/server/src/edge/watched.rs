//! The socket as the edge watches it: what comes in, what does not go out, and how it is closed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::pulse::Pulse;

/// What is taken from a refused sender before the socket is closed all the same.
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// A TCP stream below TLS that reports to its connection's pulse.
pub(crate) struct Watched {
    stream: TcpStream,
    pulse: Arc<Pulse>,
    closing: Closing,
}

enum Closing {
    No,
    Lingering(usize),
    Done,
}

impl Watched {
    pub(crate) fn new(stream: TcpStream, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse, closing: Closing::No }
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) => self.pulse.sent(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.pulse.stuck(),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pulse.heard();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Reached only when the layers above have written all they had.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pulse.flushed();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes our side, then takes what a refused sender is still sending: closing over unread bytes would reset the
    /// connection, and the sender would never read why it was refused.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Closing::No = self.closing {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.closing = if self.pulse.lingers() { Closing::Lingering(LINGER_BYTES) } else { Closing::Done };
        }
        while let Closing::Lingering(left) = self.closing {
            let mut scratch = [0_u8; 4096];
            let mut buf = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
            let left = left.saturating_sub(buf.filled().len());
            self.closing = if buf.filled().is_empty() || left == 0 { Closing::Done } else { Closing::Lingering(left) };
        }
        Poll::Ready(Ok(()))
    }
}
