/** ROOT-1: links in one leaf of a trie; one more and it splits. 41 bytes each, so a node stays under 2.7 KiB. */
export const MAX_LEAF_LINKS = 64
/**
 * ROOT-1: nibbles of a digest that may lead to an inner node. Honest tries of a billion blocks need seven; 65
 * blocks whose SHA-256 share 24 nibbles (96 bits) cannot be found, so only invented CIDs go deeper.
 */
export const MAX_TRIE_DEPTH = 24
/** ROOT-1: CIDs in one trie. */
export const MAX_TRIE_LINKS = 1 << 24
/** HEAD-1: bytes of an IPNS record (https://specs.ipfs.tech/ipns/ipns-record/#record-size-limit). */
export const MAX_RECORD_BYTES = 10 << 10
/** ANN-1: blocks inside one announcement. */
export const MAX_ANNOUNCEMENT_BLOCKS = 256
/** ROOT-1: bytes of a root block: a full version vector and room to spare. */
export const MAX_ROOT_BYTES = 64 << 10
