// Framed echo with tokio's LengthDelimitedCodec on one thread. Prints its port. Runs until its standard input ends.
use futures_util::StreamExt;
use tokio::net::TcpListener;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            tokio::spawn(async move {
                let (sink, stream) = Framed::new(socket, LengthDelimitedCodec::new()).split();
                // Encode the frames that are ready, then flush.
                let _ = stream.map(|frame| frame.map(|bytes| bytes.freeze())).forward(sink).await;
            });
        }
    })
}
