//! Settings of a running server. The only reader of the environment (`DRYDOCK_*`, through clap's `env`).
