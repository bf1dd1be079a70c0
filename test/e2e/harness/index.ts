/** Helpers for tests that run the built programs as real processes. */
export { createSandbox, type CommandResult, type Sandbox } from './sandbox.js'
export { createDevice, type EntryJson, type StatusJson, type TestDevice, type TestMirror } from './device.js'
export { startNode, type TestNode, type TestNodeOptions } from './node.js'
export { eventually, type EventuallyOptions } from './eventually.js'
export { differingTimes, eventuallySame, readTree, writeTree, type Tree, type TreeSource } from './tree.js'
export { HOLDFAST, startProcess, type JsonLine, type ProcessResult, type RunningProcess } from './running-process.js'
export { startRecordingProxy, type RecordingProxy } from './recording-proxy.js'
export { findForms, findInFiles, formsOf } from './plain-text.js'
