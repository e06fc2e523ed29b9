// One token of the causal depthwise convolution of short_convolution.cu for each row, by the same
// arithmetic, with the last inputs [B, W-1, C] shifted in place.
//
// A thread owns VECTOR neighbouring channels; all that it reads is under way at once. A token sees
// only its own document, so that one at position 0 sees itself alone; padding leaves the inputs as
// they are, and its result is not specified.
//
// Constants: X_TYPE (of x and y), S_TYPE (of the last inputs; float wherever x is), W_TYPE (of
// weights and bias), each float or bfloat16; TAPS (2 or more), VECTOR (divides C; the packs of x, y
// and the last inputs are aligned), FILTER (weights read at once, divides TAPS * VECTOR), THREADS,
// SILU.

constexpr int MEMORY = TAPS - 1;
constexpr int WEIGHTS = TAPS * VECTOR;

// x [B, C] with a stride from row to row, weights [C, W], biases [C] or null, positions [B] or null
// where every token sees all of the last inputs, y [B, C]. Grid: rows, enough blocks for C.
extern "C" __global__ void __launch_bounds__(THREADS) convolution_step(
        const X_TYPE* x,
        const W_TYPE* __restrict__ weights,
        const W_TYPE* __restrict__ biases,
        const long long* positions,
        S_TYPE* state,
        X_TYPE* y,
        long long stride,
        int width) {
    letNextBegin();
    const long long row = blockIdx.x;
    const int channel = (blockIdx.y * THREADS + threadIdx.x) * VECTOR;
    if (channel >= width) {
        return;
    }
    awaitPrevious();
    S_TYPE* slots = state + row * MEMORY * width + channel;
    Pack<S_TYPE, VECTOR> before[MEMORY];  // the newest last
#pragma unroll
    for (int slot = 0; slot < MEMORY; ++slot) {
        before[slot] = read<VECTOR>(slots + (long long)slot * width);
    }
    const Pack<X_TYPE, VECTOR> now = read<VECTOR>(x + row * stride + channel);
    Pack<W_TYPE, FILTER> filter[WEIGHTS / FILTER];
#pragma unroll
    for (int i = 0; i < WEIGHTS / FILTER; ++i) {
        filter[i] = read<FILTER>(weights + (long long)channel * TAPS + i * FILTER);
    }
    const long long known = positions == nullptr ? MEMORY : positions[row];
    float shift[VECTOR];
#pragma unroll
    for (int c = 0; c < VECTOR; ++c) {
        shift[c] = biases == nullptr ? 0 : widen(biases[channel + c]);
    }
    float window[TAPS][VECTOR];
    float values[VECTOR];
#pragma unroll
    for (int c = 0; c < VECTOR; ++c) {
        float sum = shift[c];
#pragma unroll
        for (int tap = 0; tap < TAPS; ++tap) {
            if (tap == MEMORY) {
                window[tap][c] = now.get(c);
            } else {
                window[tap][c] = known >= MEMORY - tap ? before[tap].get(c) : 0;
            }
            const int at = c * TAPS + tap;
            sum = fmaf(filter[at / FILTER].get(at % FILTER), window[tap][c], sum);
        }
        values[c] = SILU ? sum * sigmoidOfPower(-LOG2_E * sum) : sum;
    }
    write<VECTOR>(y + row * width + channel, values);
    if (known >= 0) {
#pragma unroll
        for (int slot = 0; slot < MEMORY; ++slot) {
            write<VECTOR>(slots + (long long)slot * width, window[slot + 1]);
        }
    }
}
