import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** One way in which a text may lie in bytes. */
interface Form { text: string, form: string, bytes: Uint8Array }

/** The texts themselves, in UTF-16, hex, percent encoding, and in base64 at each of its three alignments. */
export function formsOf (texts: readonly string[]): Form[] {
  return texts.flatMap(text => {
    const plain = Buffer.from(text)
    const hex = plain.toString('hex')
    return [
      { text, form: 'UTF-8', bytes: plain },
      { text, form: 'UTF-16LE', bytes: Buffer.from(text, 'utf16le') },
      { text, form: 'UTF-16BE', bytes: Buffer.from(text, 'utf16le').swap16() },
      { text, form: 'hex', bytes: Buffer.from(hex) },
      { text, form: 'percent encoding', bytes: Buffer.from(encodeURIComponent(text)) },
      ...[0, 1, 2].flatMap(shift => base64At(plain, shift).map(bytes => ({ text, form: 'base64', bytes })))
    ]
  })
}

/** The characters of base64, in both alphabets, that these bytes decide alone wherever they begin. */
function base64At (plain: Uint8Array, shift: number): Uint8Array[] {
  const whole = Buffer.concat([new Uint8Array(shift), plain])
  const inner = (text: string): string => text.slice(Math.ceil(shift * 8 / 6), Math.floor(whole.length * 8 / 6))
  return (['base64', 'base64url'] as const).map(alphabet => Buffer.from(inner(whole.toString(alphabet))))
}

/** The forms that occur, each told as `text as form`. */
export function findForms (bytes: Uint8Array, forms: readonly Form[]): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return forms.filter(form => buffer.indexOf(form.bytes) >= 0).map(({ text, form }) => `${text} as ${form}`)
}

/** Looks for them in the names and contents of every file below a directory. */
export async function findInFiles (directory: string, forms: readonly Form[]): Promise<{ found: string[], bytes: number }> {
  const found: string[] = []
  let bytes = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    found.push(...findForms(Buffer.from(path.slice(directory.length)), forms).map(what => `${what} in the name ${path}`))
    if (!entry.isFile()) continue
    const content = await readFile(path)
    bytes += content.length
    found.push(...findForms(content, forms).map(what => `${what} in ${path}`))
  }
  return { found, bytes }
}
