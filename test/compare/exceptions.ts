import type { Difference } from './compareImages.ts'
import { FIXED, isMember, type Members } from './members.ts'

// The differences from ld64.lld that are meant: at most 15, each narrow. A predicate looks at the kind of a difference
// and at what the two sides say, never at one symbol's name, and never lets a whole section pass.

export interface Exception {
  id: string
  reason: string
  matches: (difference: Difference, members: Members) => boolean
}

const TOOL = / tool (\d+) [\d.]+$/

function isOtherTool({ kind, ours, theirs }: Difference): boolean {
  if (kind !== 'load command' || ours === null || theirs === null) return false
  return TOOL.test(ours) && TOOL.test(theirs) && ours.replace(TOOL, '') === theirs.replace(TOOL, '')
}

function isSameSet(ours: string, theirs: string): boolean {
  return ours.split('\n').sort().join('\n') === theirs.split('\n').sort().join('\n')
}

const FOLLOWS_INPUTS =
  /^(symbols in|entries of|words of|sections of) |^((local|undef) symbols|objects in the debug map)$/

// What comes from one object stands in one order on both sides, and so do the objects that are no members.
function isMemberOrder({ kind, subject, ours, theirs }: Difference, members: Members): boolean {
  if (kind !== 'order' || !members.several || ours === null || theirs === null) return false
  if (!FOLLOWS_INPUTS.test(subject) || !isSameSet(ours, theirs)) return false
  const byOwner = (text: string) => {
    const lists = new Map<string, string[]>()
    for (const element of text.split('\n')) {
      const owner = members.ownerOf(element)
      if (owner === undefined) continue
      const key = isMember(owner) ? owner : FIXED
      lists.set(key, [...(lists.get(key) ?? []), element])
    }
    return [...lists]
      .map((list) => list.join(' '))
      .sort()
      .join('\n')
  }
  return byOwner(ours) === byOwner(theirs)
}

const BY_MENTION = /^((private )?extern symbols$|debug map of )/

// Such names stand by their first mention, be it in the object that defines them or in one that refers to them.
function isMentionOrder({ kind, subject, ours, theirs }: Difference, members: Members): boolean {
  if (kind !== 'order' || !members.several || ours === null || theirs === null) return false
  return BY_MENTION.test(subject) && isSameSet(ours, theirs)
}

// The same entry under another object: both are members that define the name weakly, and the first one loaded wins.
function isOtherDefinition({ kind, ours, theirs }: Difference, members: Members): boolean {
  if (kind !== 'stabs' || !members.several || ours === null || theirs === null) return false
  const [left, right] = [ours.split(' of '), theirs.split(' of ')]
  return left[0] === right[0] && [left, right].every((parts) => parts.length === 2 && isMember(parts[1]!))
}

// Theirs may have joined the function to the one before, which leaves the null entry alone.
function isNullBehind({ kind, ours, theirs }: Difference): boolean {
  if (kind !== 'unwind' || ours === null || !ours.endsWith(' before it 0x0')) return false
  return theirs === '0x0' || theirs === `0x0 before it ${ours.replace(/ before it 0x0$/, '')}`
}

export const exceptions: readonly Exception[] = [
  {
    id: 'tool-version',
    reason: 'LC_BUILD_VERSION names the linker that made the image, and its version',
    matches: isOtherTool,
  },
  {
    id: 'member-order',
    reason:
      "archive members stand in the archive's order, whatever led to them: the output then does not depend on when a thing was found",
    matches: isMemberOrder,
  },
  {
    id: 'member-mention',
    reason: 'external names stand by the first mention of each, for which the order of members counts',
    matches: isMentionOrder,
  },
  {
    id: 'member-definition',
    reason: 'of equal weak definitions the first wins, so that the order of members shows in the debug map',
    matches: isOtherDefinition,
  },
  {
    id: 'null-unwind-first',
    reason:
      'of two unwind entries at one address the unwinder takes the last: ld64.lld lets an empty function hide the next one',
    matches: isNullBehind,
  },
]
