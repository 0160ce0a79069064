//! An identity provider of Cognito's shape on this machine, for trying out drydock with tokens. It knows two machines and
//! two scopes, and prints them.
//!
//! `cargo run --example identity -- --port 9400`

use std::net::{Ipv4Addr, SocketAddr};

use clap::Parser;
use tokio::net::TcpListener;

#[expect(dead_code, reason = "tests mint tokens and let it fail; this program only serves it")]
#[path = "../tests/it/support/identity.rs"]
mod identity;

#[derive(Parser)]
struct Args {
    /// Port; 0 picks a free one
    #[arg(long, default_value_t = 9400)]
    port: u16,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port))).await?;
    let identity = identity::Identity::serve(listener);
    println!("issuer {}", identity.issuer());
    println!("token  {}", identity.token_url());
    for (id, secret) in identity::CLIENTS {
        println!("client {id} {secret}");
    }
    println!("scopes {}", identity::SCOPES.join(" "));
    Ok(tokio::signal::ctrl_c().await?)
}
