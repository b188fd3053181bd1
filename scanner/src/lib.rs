//! The daemon checkpointd: camera, lane, gate, sync, pages.
