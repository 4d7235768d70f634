// A client of the vendor's API.

import type { World } from '../dist/index.js'

export async function generate(world: World): Promise<string> {
  const headers = { 'X-Copresence-REST-API-Key': world.apiKey, 'X-Copresence-Session-Token': world.sessionToken }
  const response = await fetch(`${world.sandboxUrl}/generateExportToken`, { method: 'POST', headers })
  const { token } = (await response.json()) as { token: string }
  return token
}

export async function redeem(world: World, token: string): Promise<Response> {
  const headers = { 'X-Copresence-REST-API-Key': world.apiKey, 'X-Copresence-Export-Token': token }
  return fetch(`${world.sandboxUrl}/redeemExportToken`, { headers })
}
