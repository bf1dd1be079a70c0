import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { InvalidArgumentError, type Random } from '@holdfast/protocol'

/** A recovery phrase: 24 English words of BIP-39, which encode 256 random bits and an 8-bit checksum. */
export const PHRASE_WORDS = 24
const ENTROPY_BYTES = 32

export const createPhrase = (random: Random): string => entropyToMnemonic(random.bytes(ENTROPY_BYTES), wordlist)

/** Throws InvalidArgumentError that says how many words there are, which word is not in the list, or that the checksum does not match. */
export function checkPhrase (phrase: string): void {
  phraseEntropy(phrase)
}

/** The 32 bytes that a phrase encodes. Case and spacing do not matter. Throws like checkPhrase. */
export function phraseEntropy (phrase: string): Uint8Array {
  const words = phraseWords(phrase)
  const unknown = words.flatMap((word, index) => wordlist.includes(word) ? [] : [{ word, position: index + 1 }])
  if (unknown.length > 0) throw unknownWords(unknown)
  if (words.length !== PHRASE_WORDS) {
    throw new InvalidArgumentError(`a recovery phrase has ${PHRASE_WORDS} words, this one has ${words.length}`, 'Type all the words in their order, with spaces between them.', { words: words.length })
  }
  try { return mnemonicToEntropy(words.join(' '), wordlist) } catch {
    // The library's error is left out: it may repeat the phrase, and errors end up in logs.
    throw new InvalidArgumentError('the checksum of this recovery phrase does not match: each word is in the list, but one is wrong or two are swapped', 'Compare each word, and their order, with what you wrote down.')
  }
}

const phraseWords = (phrase: string): string[] => phrase.normalize('NFKD').toLowerCase().split(/\s+/u).filter(word => word !== '')

function unknownWords (unknown: { word: string, position: number }[]): InvalidArgumentError {
  const named = unknown.map(({ word, position }) => `word ${position}, "${word}",`).join(' and ')
  const hints = unknown.flatMap(({ word, position }) => {
    const like = similarWords(word)
    return like.length === 0 ? [] : [`Word ${position} may be ${like.map(found => `"${found}"`).join(' or ')}.`]
  })
  const verb = unknown.length === 1 ? 'is' : 'are'
  return new InvalidArgumentError(`${named} ${verb} not in the list of recovery words`, ['Compare it with what you wrote down.', ...hints].join(' '), { positions: unknown.map(({ position }) => position) })
}

/** BIP-39 words are told apart by their first four letters, so a word that shares them is most likely the one meant. */
function similarWords (word: string): string[] {
  if (word.length < 3) return []
  const sameStart = wordlist.filter(known => known.slice(0, 4) === word.slice(0, 4))
  return sameStart.length > 0 ? sameStart : wordlist.filter(known => oneEditApart(known, word)).slice(0, 3)
}

/** One letter replaced, left out, put in, or two neighbours swapped. */
function oneEditApart (a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  const rest = (text: string, skip: number): string => text.slice(start + skip)
  if (a.length > b.length) return rest(a, 1) === rest(b, 0)
  if (a.length < b.length) return rest(a, 0) === rest(b, 1)
  return rest(a, 1) === rest(b, 1) || (a[start] === b[start + 1] && a[start + 1] === b[start] && rest(a, 2) === rest(b, 2))
}
