import { describe } from 'vitest'
import { describeTestsThatAreAlone } from './alone.js'

describe('file 2', () => describeTestsThatAreAlone(2))
