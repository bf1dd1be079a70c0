/** No block, padding and tag included, exceeds this: stock Kubo refuses larger ones. Bytes. */
export const MAX_BLOCK_BYTES = 1 << 20
/** CHK-1: a file up to this many bytes is sealed inside its file node. */
export const MAX_INLINE_FILE_BYTES = 32 << 10
/** CHK-1: a file up to this many bytes is one chunk. */
export const MAX_SINGLE_CHUNK_BYTES = 900 << 10
/** ANN-1: the sealed blocks that one announcement may carry, in all. */
export const MAX_ANNOUNCEMENT_INLINE_BYTES = 64 << 10
/** ANN-1: an announcement as a whole. */
export const MAX_ANNOUNCEMENT_BYTES = 96 << 10
/** MAN-2: entries in one page before its device opens the next. */
export const MAX_PAGE_ENTRIES = 2_000
/** LOG-1: Automerge changes inside one sealed change block. */
export const MAX_CHANGES_PER_BLOCK = 1_000
/** LOG-1: operations inside one Automerge change. */
export const MAX_OPERATIONS_PER_CHANGE = 20_000
/** ROOT-1: devices in a version vector. */
export const MAX_VECTOR_DEVICES = 1_000
/** An entry's name, UTF-8 bytes (what ext4, APFS and NTFS allow). */
export const MAX_NAME_BYTES = 255
/** Links in one DAG-CBOR block of ours. */
export const MAX_BLOCK_LINKS = 8_192
/** MAN-5: text larger than this is not merged line by line. */
export const MAX_MERGED_TEXT_BYTES = 4 << 20
/** How far ahead of ours another device's clock may stamp a register before it is clamped. Milliseconds. */
export const MAX_CLOCK_SKEW_MS = 24 * 60 * 60 * 1000
/** Blocks named in one request to a node. */
export const MAX_BLOCKS_PER_REQUEST = 4_096
