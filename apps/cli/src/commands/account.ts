import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Handler, StandaloneHandler, Talk } from '../context.js'
import { DONE, PARTLY_DONE, RefusedError, UsageError, reportOf } from '../errors.js'
import { flag, textOption, type Options } from '../invocation.js'
import { choosePassphrase, readSecretLine } from '../prompt.js'
import { nodeUrl } from './pairing.js'
import type { CommandGroup } from './group.js'
import { settle } from './syncing.js'

const create: StandaloneHandler = async talk => {
  const { createAccount } = await import('@holdfast/client')
  const { account, device, phrase } = await createAccount({ home: talk.home, passphrase: await choosePassphrase(talk) })
  await talk.result({ account, device, phrase }, [
    `A new account, with this device as its first: ${account}`,
    '',
    'Your recovery phrase, shown this once:',
    '',
    `  ${phrase}`,
    '',
    'Write these 24 words down and keep them safe. They open your account on a new device when all others are lost; whoever has them can read all your files, and nobody can give them to you again.'
  ])
  await talk.say('\nNext: start a node with `holdfast node` and pair it, or keep a directory the same as the vault with `holdfast mirror DIR`.')
  return DONE
}

const restore: StandaloneHandler = async (talk, _args, options) => {
  const node = textOption(options, 'node')
  const from = node === undefined ? {} : { node: nodeUrl(node) }
  const common = { home: talk.home, signal: talk.signal, ...from }
  const { restoreAccount } = await import('@holdfast/client')
  const unlock = flag(options, 'wallet') ? { wallet: await keyWallet(talk, options) } : { phrase: await readPhrase(talk) }
  const { account, device, failures } = await restoreAccount({ ...common, ...unlock, passphrase: await choosePassphrase(talk) })
  for (const failure of failures) await talk.note(`holdfast: ${reportOf(failure).message}. It can be paired later with \`holdfast pair URL\`.`)
  await talk.result({ account, device }, [`This is now a device of the account ${account}.`])
  return failures.length === 0 ? DONE : PARTLY_DONE
}

const PHRASE_WORDS = 24

async function readPhrase (talk: Talk): Promise<string> {
  // Some paste the words over several lines.
  const phrase = await readSecretLine(talk, 'Recovery phrase (24 words): ', text => text.endsWith('\n') && text.trim().split(/\s+/).length >= PHRASE_WORDS)
  if (phrase.trim() === '') throw new UsageError('no recovery phrase was given', 'Give its 24 words on standard input')
  return phrase
}

const addWallet: Handler = async (context, _args, options) => {
  const wallet = await keyWallet(context, options)
  const { failures } = await context.client.addWalletEnvelope(wallet)
  for (const failure of failures) await context.warn(failure)
  await context.result({ address: wallet.address }, [`The wallet ${wallet.address} opens this account from now on: \`holdfast account restore --wallet --key-file F\`.`])
  return settle(context)
}

/** The key is read from a file: an argument would be seen by everybody on the machine. */
async function keyWallet (talk: Talk, options: Options): Promise<import('@holdfast/identity').Wallet> {
  const file = textOption(options, 'keyFile')
  if (file === undefined) throw new UsageError('which Ethereum key?', 'Name the file that holds it with --key-file F')
  const { createKeyWallet } = await import('@holdfast/identity')
  const text = await readFile(resolve(talk.cwd, file), 'utf8')
  if (text.length > 1_000) throw new RefusedError(`${file} is no file with a private key`, 'It should hold 64 hexadecimal digits and nothing else')
  return createKeyWallet(text.trim())
}

export const accountGroup: CommandGroup = {
  words: ['account'],
  define (program, bind) {
    const account = program.command('account').description('make or restore an account')
    account.command('create').description('a new account, a new device and a home vault; prints the recovery phrase once').action(bind('account create'))
    account.command('restore').description('make this a device of an account you have; the recovery phrase is read from standard input')
      .option('--node <url>', 'a node that a device of the account paired (default: one on this machine)')
      .option('--wallet', 'unlock with an Ethereum key instead of the phrase')
      .option('--key-file <file>', 'the file with the Ethereum key')
      .action(bind('account restore'))
    const wallet = account.command('wallet').description('open the account with an Ethereum wallet')
    wallet.command('add').description('let an Ethereum key open this account')
      .requiredOption('--key-file <file>', 'the file with the Ethereum key')
      .action(bind('account wallet add'))
  },
  handlers: { 'account wallet add': addWallet },
  standalone: { 'account create': create, 'account restore': restore }
}
