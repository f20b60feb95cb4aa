//! Two agents on one Redis: one works, the other stands by and says so, and takes over when the first is gone; what an
//! agent does after its time is void.

mod fenced;
mod standby;
mod take_over;

const GROUP: &str = "lease";
