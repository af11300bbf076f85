// What an image says, as text: kind of statement -> subject -> statement. Two images are compared by their facts.

export type Facts = Map<string, Map<string, string>>

/** Adds a fact; a subject that is there already gets #2, #3 and so on. */
export function addFact(facts: Facts, kind: string, subject: string, value: string): void {
  let ofKind = facts.get(kind)
  if (ofKind === undefined) {
    ofKind = new Map()
    facts.set(kind, ofKind)
  }
  let key = subject
  for (let n = 2; ofKind.has(key); n++) key = `${subject}#${n}`
  ofKind.set(key, value)
}

/** Adds a sequence under a kind of its own, so that the differences of order stand apart from all others. */
export function addOrder(facts: Facts, subject: string, sequence: string[]): void {
  addFact(facts, 'order', subject, sequence.join('\n'))
}
