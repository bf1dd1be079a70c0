import type { CommandGroup } from './group.js'
import type { Handler } from '../context.js'
import { DONE } from '../errors.js'

const mirror: Handler = async () => DONE

export const mirrorGroup: CommandGroup = {
  words: ['mirror'],
  define (program, bind) {
    program.command('mirror').description('keep a directory and the home vault the same until stopped')
      .argument('<directory>').option('--once', 'end when this device and its nodes agree and all is receipted').action(bind('mirror'))
  },
  handlers: { mirror }
}
