// A step of Adam with decoupled weight decay (arXiv 1711.05101, algorithm 2) of one parameter, in
// place:
//
// g = gradientScale gradient,  m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
// parameter = kept parameter - rate m / (sqrt(v) + epsilon)
//
// where rate and epsilon hold the corrections of both moments' bias. Every thread updates one
// element: seven streams fill the memory's bandwidth without wider loads.
//
// Constants: THREADS. Grid: enough blocks for all elements. Block: THREADS.

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
    const long long at = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (at >= size) {
        return;
    }
    const float g = gradientScale * gradient[at];
    const float m = beta1 * mean[at] + rest1 * g;
    const float v = beta2 * square[at] + rest2 * (g * g);
    mean[at] = m;
    square[at] = v;
    parameter[at] = kept * parameter[at] - rate * (m / (sqrtf(v) + epsilon));
}
