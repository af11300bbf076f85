import type { Link } from '../../../components/link.ts'

/** Whether the linker has made tables that refer to Objective-C code and data: what they list must not move. */
export function hasObjectiveCTables({ selectors, methodLists, messageStubs, categories }: Link): boolean {
  return selectors.count + methodLists.count + messageStubs.count + categories.merged > 0
}
