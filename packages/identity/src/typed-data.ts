import { fromHex, InvalidArgumentError } from '@holdfast/protocol'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes } from '@noble/hashes/utils.js'

/** EIP-712 typed structured data, in the shape that `eth_signTypedData_v4` takes. */
export interface TypedData {
  readonly types: Readonly<Record<string, readonly TypedField[]>>
  readonly primaryType: string
  readonly domain: Readonly<Record<string, unknown>>
  readonly message: Readonly<Record<string, unknown>>
}
export interface TypedField { readonly name: string, readonly type: string }

type Types = TypedData['types']
const utf8 = new TextEncoder()
const DOMAIN_TYPE = 'EIP712Domain'

/** The 32 bytes that a wallet signs: keccak256(0x1901 ‖ domain separator ‖ hashStruct(message)), EIP-712. Throws InvalidArgumentError. */
export function hashTypedData (data: TypedData): Uint8Array {
  return keccak_256(concatBytes(
    Uint8Array.of(0x19, 0x01),
    hashStruct(DOMAIN_TYPE, data.domain, data.types),
    hashStruct(data.primaryType, data.message, data.types)
  ))
}

export const hashStruct = (type: string, value: Readonly<Record<string, unknown>>, types: Types): Uint8Array =>
  keccak_256(concatBytes(keccak_256(utf8.encode(encodeType(type, types))), ...fieldsOf(type, types).map(field => encodeValue(field.type, value[field.name], types))))

/** `Mail(Person from,Person to,string contents)Person(string name,address wallet)`: the type, then those it refers to by name. */
export function encodeType (type: string, types: Types): string {
  const found = new Set<string>()
  const visit = (name: string): void => {
    if (found.has(name)) return
    found.add(name)
    for (const field of fieldsOf(name, types)) {
      const element = field.type.replace(/(\[\d*\])+$/u, '')
      if (Object.hasOwn(types, element)) visit(element)
    }
  }
  visit(type)
  const others = [...found].filter(name => name !== type).toSorted()
  return [type, ...others].map(name => `${name}(${fieldsOf(name, types).map(field => `${field.type} ${field.name}`).join(',')})`).join('')
}

function fieldsOf (type: string, types: Types): readonly TypedField[] {
  if (!Object.hasOwn(types, type)) throw new InvalidArgumentError(`typed data has no type "${type}"`)
  return types[type]!
}

function encodeValue (type: string, value: unknown, types: Types): Uint8Array {
  const wrong = (): InvalidArgumentError => new InvalidArgumentError(`typed data has a value that is no ${type}`)
  const array = /^(.*)\[(\d*)\]$/u.exec(type)
  if (array !== null) {
    if (!Array.isArray(value) || (array[2] !== '' && value.length !== Number(array[2]))) throw wrong()
    return keccak_256(concatBytes(...value.map(item => encodeValue(array[1]!, item, types))))
  }
  if (Object.hasOwn(types, type)) {
    if (value === null || typeof value !== 'object') throw wrong()
    return hashStruct(type, value as Record<string, unknown>, types)
  }
  return encodeAtom(type, value) ?? fail(wrong())
}

/** Undefined when the value is not of this type, or the type is none of EIP-712's. */
function encodeAtom (type: string, value: unknown): Uint8Array | undefined {
  if (type === 'string') return typeof value === 'string' ? keccak_256(utf8.encode(value)) : undefined
  if (type === 'bool') return typeof value === 'boolean' ? word(value ? 1n : 0n) : undefined
  if (type === 'address') return encodeBytes(value, 20, bytes => concatBytes(new Uint8Array(12), bytes))
  if (type === 'bytes') return encodeBytes(value, undefined, bytes => keccak_256(bytes))
  const fixed = /^bytes(\d+)$/u.exec(type)
  if (fixed !== null && Number(fixed[1]) >= 1 && Number(fixed[1]) <= 32) return encodeBytes(value, Number(fixed[1]), bytes => concatBytes(bytes, new Uint8Array(32 - bytes.length)))
  const integer = /^(u?)int(\d+)$/u.exec(type)
  return integer === null ? undefined : encodeInteger(value, Number(integer[2]), integer[1] === '')
}

function encodeBytes (value: unknown, length: number | undefined, encode: (bytes: Uint8Array) => Uint8Array): Uint8Array | undefined {
  const bytes = typeof value === 'string' && /^0x([0-9a-f]{2})*$/iu.test(value) ? fromHex(value.slice(2).toLowerCase()) : value
  if (!(bytes instanceof Uint8Array) || (length !== undefined && bytes.length !== length)) return undefined
  return encode(bytes)
}

function encodeInteger (value: unknown, bits: number, signed: boolean): Uint8Array | undefined {
  if (bits < 8 || bits > 256 || bits % 8 !== 0) return undefined
  if (typeof value !== 'bigint' && !Number.isSafeInteger(value) && !(typeof value === 'string' && /^-?\d+$/u.test(value))) return undefined
  const integer = BigInt(value as bigint | number | string)
  const inRange = signed ? BigInt.asIntN(bits, integer) === integer : BigInt.asUintN(bits, integer) === integer
  return inRange ? word(integer) : undefined
}

/** 32 bytes, big endian, two's complement. */
const word = (value: bigint): Uint8Array => fromHex(BigInt.asUintN(256, value).toString(16).padStart(64, '0'))

const fail = (error: Error): never => { throw error }
