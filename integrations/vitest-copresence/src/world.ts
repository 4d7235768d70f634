// One world of the sandbox: a backend of its own for one test.

import { SandboxError, sandboxFromEnvironment, type RunningSandbox } from './sandbox.js'

/** A fault (`copresence sandbox --list-faults`). */
export interface Fault {
  on: 'redeem' | 'generate' | 'login' | 'file'
  nth?: number | number[] | 'every' | { rate: number }
  ready?: boolean
  file?: string
  export_type?: string
  ranged?: boolean
  do: string | Record<string, unknown>
}

/** A fault, the number of requests that it matched, and of those that it was applied to. */
export interface FaultState {
  fault: Fault
  seen: number
  struck: number
}

/** The settings of a world. All are optional. */
export interface WorldSettings {
  /** Seed of tokens, timings and avatars. */
  seed?: number
  /** Name of the scenario of new tokens (`copresence sandbox --list-scenarios`). */
  scenario?: string
  /** Text of your own scenario file. */
  scenarioFile?: string
  /** Simulated seconds per real second. */
  speed?: number
  /** Whether the clock stands still until it is moved. */
  paused?: boolean
  /** The initial faults. */
  faults?: Fault[]
  /** Seconds after which the world ends, if it is not used. */
  idleLimitSeconds?: number
}

/** The virtual clock of a world. */
export interface ClockState {
  now_ms: number
  speed: number
  paused: boolean
}

/** A token as testers see it. Times are milliseconds of virtual time. */
export interface TokenState {
  token: string
  scenario: string
  state: 'no_associated_avatar' | 'in_queue' | 'processing' | 'failed' | 'ready' | 'spent' | 'expired'
  completion_progress: number
  queue_position: number
  avatar: string | null
  generated_ms: number
  expires_ms: number
  associated_ms: number | null
  ended_ms: number | null
  redeems: number
  last_redeem_ms: number | null
  downloads: { file: string; export_type: string; state: string; expires_ms: number }[]
}

/** The scenario, the clock and all tokens of a world. */
export interface WorldState {
  scenario: string
  seed: number
  clock: ClockState
  tokens: TokenState[]
}

/** A logged request, with masked credentials. */
export interface RequestLine {
  at: string
  at_ms: number
  method: string
  path: string
  status: number
  duration_ms: number
  faults?: string[]
}

/** The response of the tester API to the creation of a world. */
interface CreatedWorld {
  id: string
  api_key: string
  session_token: string
  username: string
  password: string
  seed: number
}

/** A simulated backend with its own credentials, clock, faults, tokens and request log. */
export class World {
  /** URL of the backend, without a slash at its end; the phone page and the tester API are under it, too. */
  readonly url: string
  /** URL of the sandbox, which works for clients that send `apiKey`. */
  readonly sandboxUrl: string
  readonly id: string
  readonly apiKey: string
  readonly sessionToken: string
  readonly username: string
  readonly password: string
  readonly seed: number

  private constructor(
    private readonly sandbox: RunningSandbox,
    created: CreatedWorld,
  ) {
    this.id = created.id
    this.url = `${sandbox.url}/worlds/${created.id}`
    this.sandboxUrl = sandbox.url
    this.apiKey = created.api_key
    this.sessionToken = created.session_token
    this.username = created.username
    this.password = created.password
    this.seed = created.seed
  }

  /** Creates a world in a sandbox; by default in the one that the global set-up started. */
  static async create(settings: WorldSettings = {}, sandbox = sandboxFromEnvironment()): Promise<World> {
    if (!sandbox) {
      throw new SandboxError(
        'no sandbox runs: add "vitest-copresence/global-setup" to `globalSetup` of the test configuration, or run ' +
          '`copresence sandbox -- npx vitest`',
      )
    }
    const { scenarioFile, idleLimitSeconds, ...rest } = settings
    const body = { ...rest, scenario_file: scenarioFile, idle_limit_seconds: idleLimitSeconds }
    const created = await callTesterApi(sandbox, 'POST', `${sandbox.url}/sandbox/worlds`, body)
    return new World(sandbox, created as CreatedWorld)
  }

  /** The environment variables of `copresence sandbox -- COMMAND`, for a program under test. */
  get env(): Record<string, string> {
    return {
      COPRESENCE_SANDBOX_URL: this.url,
      COPRESENCE_SANDBOX_PHONE_URL: this.url,
      COPRESENCE_API_KEY: this.apiKey,
      COPRESENCE_SESSION_TOKEN: this.sessionToken,
      COPRESENCE_USERNAME: this.username,
      COPRESENCE_PASSWORD: this.password,
      ...(this.sandbox.operatorKey ? { COPRESENCE_OPERATOR_KEY: this.sandbox.operatorKey } : {}),
    }
  }

  /** The page that the QR code of a token opens. */
  phoneUrl(token: string): string {
    return `${this.url}/phone?exportToken=${encodeURIComponent(token)}`
  }

  /** Plays the phone: a new avatar, or the id of an existing one. */
  async associate(token: string, avatar = 'new', scenario?: string): Promise<TokenState> {
    return this.callForToken(token, 'associate', { avatar, scenario })
  }

  /** Makes the avatar of a token ready now. */
  async complete(token: string): Promise<TokenState> {
    return this.callForToken(token, 'complete')
  }

  /** Makes the avatar of a token fail now. */
  async fail(token: string): Promise<TokenState> {
    return this.callForToken(token, 'fail')
  }

  /** Expires a token now. */
  async expire(token: string): Promise<TokenState> {
    return this.callForToken(token, 'expire')
  }

  /** Moves the clock forward. */
  async advance(seconds: number): Promise<ClockState> {
    return this.changeClock({ advance_ms: Math.round(seconds * 1000) })
  }

  /** Stops the clock. */
  async pause(): Promise<ClockState> {
    return this.changeClock({ paused: true })
  }

  /** Lets the clock run again. */
  async resume(): Promise<ClockState> {
    return this.changeClock({ paused: false })
  }

  /** Sets the simulated seconds per real second. */
  async setSpeed(speed: number): Promise<ClockState> {
    return this.changeClock({ speed })
  }

  /** Replaces the list of faults. */
  async setFaults(faults: Fault[]): Promise<FaultState[]> {
    return (await this.call('PUT', 'faults', faults)) as FaultState[]
  }

  /** The faults, each with its counts. */
  async faults(): Promise<FaultState[]> {
    return (await this.call('GET', 'faults')) as FaultState[]
  }

  /** Removes all faults. */
  async clearFaults(): Promise<void> {
    await this.call('DELETE', 'faults')
  }

  /** The logged requests, oldest first.. */
  async requests(): Promise<RequestLine[]> {
    return (await this.call('GET', 'requests')) as RequestLine[]
  }

  /** Empties the request log. */
  async clearRequests(): Promise<void> {
    await this.call('DELETE', 'requests')
  }

  /** The scenario, the clock and all tokens. */
  async state(): Promise<WorldState> {
    return (await this.call('GET', 'state')) as WorldState
  }

  /** Ends the world, unless it has ended. Its credentials and URLs are unknown from then on. */
  async close(): Promise<void> {
    try {
      await callTesterApi(this.sandbox, 'DELETE', `${this.sandbox.url}/sandbox/worlds/${this.id}`)
    } catch (error) {
      // A world that nobody used for ten minutes ends by itself: the test was in a debugger.
      if (!(error instanceof SandboxError && error.status === 404)) throw error
    }
  }

  /** `await using world = await World.create()` ends it at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private async changeClock(change: Partial<ClockState> & { advance_ms?: number }): Promise<ClockState> {
    return (await this.call('POST', 'clock', change)) as ClockState
  }

  private async callForToken(token: string, action: string, body?: unknown): Promise<TokenState> {
    return (await this.call('POST', `tokens/${encodeURIComponent(token)}/${action}`, body)) as TokenState
  }

  private async call(method: string, path: string, body?: unknown): Promise<unknown> {
    return callTesterApi(this.sandbox, method, `${this.url}/sandbox/${path}`, body)
  }
}

/** Sends a request to the tester API. Returns the JSON of the response, or `undefined` if there is none. */
async function callTesterApi(sandbox: RunningSandbox, method: string, url: string, body?: unknown): Promise<unknown> {
  const headers = new Headers()
  if (body !== undefined) headers.set('Content-Type', 'application/json')
  if (sandbox.operatorKey) headers.set('X-Sandbox-Operator-Key', sandbox.operatorKey)
  let response: Response
  try {
    response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  } catch (error) {
    throw new SandboxError(`${method} ${url} failed; is the sandbox still running?`, { cause: error })
  }
  const text = await response.text()
  if (!response.ok) {
    const message = `${method} ${url}: status ${response.status}: ${sandboxErrorSentence(text)}`
    throw new SandboxError(message, { status: response.status })
  }
  return text === '' ? undefined : (JSON.parse(text) as unknown)
}

/** The sentence in an error response of the sandbox. */
function sandboxErrorSentence(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: unknown }
    if (typeof error === 'string') return error
  } catch {
    // Not the sandbox's JSON.
  }
  return body.slice(0, 300)
}
