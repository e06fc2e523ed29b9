// A step of Adam with decoupled weight decay (arXiv 1711.05101, algorithm 2) of one parameter, in
// place:
//
// g = gradientScale gradient,  m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
// parameter = kept parameter - rate m / (sqrt(v) + epsilon)
//
// where rate and epsilon hold the corrections of both moments' bias.
//
// Constants: VECTOR (divides the size; the packs of every tensor are aligned), THREADS.
// Grid: THREADS * VECTOR elements a block.

extern "C" __global__ void __launch_bounds__(THREADS) adamw(
        float* __restrict__ parameter,
        const float* __restrict__ gradient,
        float* __restrict__ mean,
        float* __restrict__ square,
        long long size,
        float gradientScale,
        float beta1,
        float rest1,
        float beta2,
        float rest2,
        float epsilon,
        float rate,
        float kept) {
    const long long at = ((long long)blockIdx.x * THREADS + threadIdx.x) * VECTOR;
    if (at >= size) {
        return;
    }
    float p[VECTOR];
    float g[VECTOR];
    float m[VECTOR];
    float v[VECTOR];
    widen(load<VECTOR>(parameter + at), p);
    widen(load<VECTOR>(gradient + at), g);
    widen(load<VECTOR>(mean + at), m);
    widen(load<VECTOR>(square + at), v);
#pragma unroll
    for (int i = 0; i < VECTOR; ++i) {
        g[i] *= gradientScale;
        m[i] = beta1 * m[i] + rest1 * g[i];
        v[i] = beta2 * v[i] + rest2 * (g[i] * g[i]);
        p[i] = kept * p[i] - rate * (m[i] / (sqrtf(v[i]) + epsilon));
    }
    store(mean + at, m);
    store(square + at, v);
    store(parameter + at, p);
}
