/** Bytes ↔ chunks ↔ file nodes (CHK-1..4, MAN-6). Pure: blocks go to a sink and come from a fetch function. */
export { createContent } from './content.js'
export type { BlockFetch, BlockSink, ByteRange, Content, FileDescription, FileFacts, FileRef, OpenFile, SealedFile, Source } from './types.js'
