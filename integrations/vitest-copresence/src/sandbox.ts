// The process of the sandbox, which all workers share.

import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

/** How to reach a running sandbox: its URL and the key of its tester API. */
export interface RunningSandbox {
  /** URL without a slash at its end. */
  readonly url: string
  /** Key of the tester API; left out where it is not needed. */
  readonly operatorKey?: string
}

/** The sandbox cannot be started, or refused a request. The message says why. */
export class SandboxError extends Error {
  override name = 'SandboxError'
  /** The status of the response that refused the request; `undefined` if there is none. */
  readonly status: number | undefined

  constructor(message: string, options: ErrorOptions & { status?: number } = {}) {
    super(message, options)
    this.status = options.status
  }
}

/** The variables in which workers find the sandbox; those of `copresence sandbox -- COMMAND`. */
const URL_VARIABLE = 'COPRESENCE_SANDBOX_URL'
const OPERATOR_KEY_VARIABLE = 'COPRESENCE_OPERATOR_KEY'

/** The sandbox that the environment names; `undefined` if it names none. */
export function sandboxFromEnvironment(): RunningSandbox | undefined {
  const url = process.env[URL_VARIABLE]
  if (!url) return undefined
  const operatorKey = process.env[OPERATOR_KEY_VARIABLE]
  return { url: url.replace(/\/+$/, ''), ...(operatorKey ? { operatorKey } : {}) }
}

/** Names a sandbox in the environment of this process and of the workers that it starts from now on. */
export function setSandboxInEnvironment(sandbox: RunningSandbox): void {
  process.env[URL_VARIABLE] = sandbox.url
  if (sandbox.operatorKey === undefined) delete process.env[OPERATOR_KEY_VARIABLE]
  else process.env[OPERATOR_KEY_VARIABLE] = sandbox.operatorKey
}

/** Removes the sandbox from the environment. */
export function removeSandboxFromEnvironment(): void {
  delete process.env[URL_VARIABLE]
  delete process.env[OPERATOR_KEY_VARIABLE]
}

/** A sandbox that this process started. It ends with this process, in whatever way that ends. */
export class SandboxProcess {
  private constructor(
    private readonly child: ChildProcessByStdio<Writable, Readable, null>,
    /** Where it listens. */
    readonly running: RunningSandbox,
  ) {}

  /** Starts a sandbox on a free port. `command` is the program; by default that of `COPRESENCE_COMMAND`, or `copresence`. */
  static async start(command = process.env['COPRESENCE_COMMAND'] || 'copresence'): Promise<SandboxProcess> {
    const words = ['sandbox', '--listen', '127.0.0.1:0', '--json', '--until-stdin-closes']
    const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })
    const firstLine = await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve)
      child.once('error', (error) => {
        const remedy = 'install copresence, set COPRESENCE_COMMAND, or run `copresence sandbox -- npx vitest`'
        reject(new SandboxError(`\`${command}\` cannot be started: ${error.message}; ${remedy}`))
      })
      child.once('exit', (code) => {
        reject(new SandboxError(`\`${command} ${words.join(' ')}\` ended with ${code} before it was ready`))
      })
    })
    // The lines about requests are not used, but are read so that the pipe does not fill.
    lines.on('line', () => undefined)
    // A test run does not wait for the sandbox: it ends when its stdin is closed.
    child.unref()
    const listening = JSON.parse(firstLine) as { url: string; operator_key: string }
    return new SandboxProcess(child, { url: listening.url, operatorKey: listening.operator_key })
  }

  /** Ends the sandbox, and waits for its end. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.ref()
    this.child.stdin.end()
    await ended
  }
}
