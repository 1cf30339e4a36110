//! Memory from the system in large steps.

use crate::limits::AHEAD_BYTES;

/// Has the allocator get memory from the system, so that the many small allocations which this
/// thread makes next find it there.
///
/// glibc adds to the heap of a thread what one allocation lacks, by a system call, which is a
/// page at a time (`arena.c grow_heap`); while that lasts no other thread gets a page. A large
/// block that is taken and given back stays with the thread's heap, and takes no memory as long
/// as nobody writes to it. Loading mixed.rdb needs 27,000 such calls without this. With other
/// allocators it does nothing of note.
pub(crate) fn take_ahead() {
    let mut block = Vec::<u8>::new();
    // Where so much is refused, less may be had.
    if block.try_reserve_exact(AHEAD_BYTES).is_ok() {
        // Else the compiler leaves out both.
        drop(std::hint::black_box(block));
    }
}
