// -why_load: why an archive member was loaded. A name row says "it defines that name"; these stand beside.
export const WHY_ALL_LOAD = 0
export const WHY_OBJC = -1
export const WHY_FORCE_LOAD = -2
export const WHY_LINKER_OPTION = -3

export const WHY_TEXTS: Readonly<Record<number, string>> = {
  [WHY_ALL_LOAD]: '-all_load',
  [WHY_OBJC]: '-ObjC',
  [WHY_FORCE_LOAD]: '-force_load',
  [WHY_LINKER_OPTION]: 'LC_LINKER_OPTION',
}
