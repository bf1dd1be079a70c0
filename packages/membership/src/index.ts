/**
 * Who may do what in a vault, and the one gate through which changes get in (LOG-1, MEM). Pure: no I/O, no timers;
 * randomness and keys are passed in.
 */
export * from './limits.js'
export { type GrantedRole, type Role } from './entry.js'
export { createMembershipLog, type MembershipLog, type VaultSecret } from './membership-block.js'
export * from './membership.js'
export * from './authorise.js'
export * from './log-block.js'
export * from './topic.js'
