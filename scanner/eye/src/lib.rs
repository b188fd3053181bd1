//! The eye: a luma plane and a budget in, QR symbols out. Bounded work, no thread, no clock, no unsafe.
