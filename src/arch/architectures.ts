// Both, by name.
import type { Arch } from './arch.ts'
import { arm64 } from './arm64.ts'
import { x86_64 } from './x86_64.ts'

export const ARCHITECTURES: Record<Arch['name'], Arch> = { arm64, x86_64 }
