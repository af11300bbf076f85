import { command, type CommandOptions, type Outcome } from './command.ts'

/** Links with the peer, ld64.lld 22. */
export function lld(args: readonly string[], options: CommandOptions = {}): Outcome {
  return command('ld64.lld-22', args, options)
}
