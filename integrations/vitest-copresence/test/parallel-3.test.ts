import { describe } from 'vitest'
import { describeTestsThatAreAlone } from './alone.js'

describe('file 3', () => describeTestsThatAreAlone(3))
