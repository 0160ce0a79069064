//! The tools as a caller meets them: by name, with JSON arguments, on a recorded cluster.

mod bounds;
mod calls;
mod events;
mod guide;
mod lists;
mod logs;
mod metrics;
mod objects;
mod rights;
mod rollouts;
mod shop;
mod trace;
mod writes;
