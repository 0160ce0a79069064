//! The composition root: the one place where stores, executors, models and clusters are put together.
