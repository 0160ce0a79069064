//! The tools as a caller meets them: by name, with JSON arguments, on a recorded cluster.

mod apply;
mod bounds;
mod calls;
mod events;
mod guide;
mod hostile;
mod lists;
mod logs;
mod objects;
mod raw;
mod read_on;
mod secrets;
pub mod shop;
mod writes;
