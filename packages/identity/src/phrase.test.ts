import { InvalidArgumentError, toHex, type Random } from '@holdfast/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkPhrase, createPhrase, phraseEntropy, unlockFromPhrase } from './index.js'

// A failing property prints its seed; HOLDFAST_TEST_SEED=<seed> runs it again.
const seed = process.env['HOLDFAST_TEST_SEED']
const replay = seed === undefined ? {} : { seed: Number(seed) }

// https://github.com/trezor/python-mnemonic/blob/master/vectors.json, those of 256 bits.
const VECTORS: [entropy: string, phrase: string][] = [
  ['00'.repeat(32), `${'abandon '.repeat(23)}art`],
  ['7f'.repeat(32), 'legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title'],
  ['68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c', 'hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis maple dilemma loan word shrug inflict delay length']
]
const GOOD = VECTORS[2]![1]
const refusal = (phrase: string): InvalidArgumentError => {
  try { checkPhrase(phrase) } catch (error) { if (error instanceof InvalidArgumentError) return error }
  throw new Error('the phrase was not refused')
}
const replaced = (position: number, word: string): string => GOOD.split(' ').map((old, i) => i + 1 === position ? word : old).join(' ')

describe('recovery phrases', () => {
  it.each(VECTORS)('KEY-1 BIP-39 vector %s', (entropy, phrase) => {
    expect(toHex(phraseEntropy(phrase))).toBe(entropy)
    expect(createPhrase({ bytes: () => phraseEntropy(phrase) })).toBe(phrase)
  })

  it('KEY-1 a phrase has 24 words and 256 bits of the randomness that was given', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), entropy => {
      const random: Random = { bytes: length => entropy.slice(0, length) }
      const phrase = createPhrase(random)
      expect(phrase.split(' ')).toHaveLength(24)
      expect(phraseEntropy(phrase)).toEqual(entropy)
    }), { numRuns: 50, ...replay })
  })

  it('KEY-1 case, spacing and line breaks do not matter', () => {
    expect(phraseEntropy(`  ${GOOD.toUpperCase().replaceAll(' ', '\n\t ')} \n`)).toEqual(phraseEntropy(GOOD))
  })

  it('KEY-1 says which word is not in the list, and which may be meant', () => {
    const error = refusal(replaced(7, 'privat'))
    expect(error.message).toBe('word 7, "privat", is not in the list of recovery words')
    expect(error.remedy).toBe('Compare it with what you wrote down. Word 7 may be "private".')
    expect(error.data).toEqual({ positions: [7] })
    expect(refusal(replaced(2, 'digaram')).message).toContain('word 2, "digaram",')
    expect(refusal(replaced(2, 'tsable')).remedy).toContain('"table"')
    expect(refusal(replaced(2, 'tabel')).message).toContain('word 2')
    expect(refusal(replaced(1, 'zzzzzz')).remedy).toBe('Compare it with what you wrote down.')
  })

  it('KEY-1 says which words when there are several', () => {
    expect(refusal(replaced(7, 'qqq').replace(/length$/u, 'xxx')).message).toBe('word 7, "qqq", and word 24, "xxx", are not in the list of recovery words')
  })

  it('KEY-1 says that the checksum does not match, without repeating the phrase', () => {
    const error = refusal(replaced(1, 'abandon'))
    expect(error.message).toContain('checksum')
    expect(error.family).toBe('invalid')
    expect(`${error.message}${error.remedy}${JSON.stringify(error.data)}${String(error.cause)}`).not.toContain('hamster')
    const swapped = GOOD.split(' ')
    ;[swapped[3], swapped[4]] = [swapped[4]!, swapped[3]!]
    expect(refusal(swapped.join(' ')).message).toContain('checksum')
  })

  it('KEY-1 says how many words there are', () => {
    expect(refusal(GOOD.split(' ').slice(0, 23).join(' ')).message).toBe('a recovery phrase has 24 words, this one has 23')
    expect(refusal('').message).toBe('a recovery phrase has 24 words, this one has 0')
    // A valid phrase of 12 words is not one of ours.
    expect(refusal(`${'abandon '.repeat(11)}about`).message).toContain('this one has 12')
  })

  it('KEY-3 the phrase gives the name and the key of its envelope, and neither is the entropy', () => {
    const method = unlockFromPhrase(GOOD)
    expect(unlockFromPhrase(GOOD.toUpperCase())).toEqual(method)
    const secrets = [phraseEntropy(GOOD), method.wrapKey, method.nameSeed, method.namePublicKey].map(toHex)
    expect(new Set(secrets).size).toBe(4)
  })
})
