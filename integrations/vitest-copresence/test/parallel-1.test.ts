import { describe } from 'vitest'
import { describeTestsThatAreAlone } from './alone.js'

describe('file 1', () => describeTestsThatAreAlone(1))
