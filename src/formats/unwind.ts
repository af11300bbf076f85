// __TEXT,__unwind_info: plan (sizes), write (bytes), decode.
export * from './unwind/constants.ts'
export { type UnwindInfo, decodeUnwindInfo } from './unwind/decodeUnwindInfo.ts'
export { type FoldedRows, type UnwindRows, foldUnwindRows } from './unwind/foldUnwindRows.ts'
export { type UnwindPages, type UnwindPlan, planUnwindInfo, unwindPlanError } from './unwind/planUnwindInfo.ts'
export { writeUnwindInfo } from './unwind/writeUnwindInfo.ts'
