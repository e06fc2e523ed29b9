// What products of few rows have in common: several matrices W [out, in] that multiply the same x
// are one launch, whose blocks are shared out among them in order.
//
// Constants: X_TYPE (of x), Y_TYPE (of y and of what it is added to), B_TYPE (float or bfloat16),
// MATRICES, GATED (1: y = f(first product) second product, in the first one's y), SLOPE, CUBIC (of
// f(v) = v sigmoid(v (SLOPE + CUBIC v^2))).

constexpr int LANES = 32;
constexpr int PARTS = GATED ? 2 : 1;  // matrices of a block

struct Matrix {
    const void* weight;
    const B_TYPE* bias;  // [out]; or none
    const Y_TYPE* addend;  // [rows, out]; or none
    Y_TYPE* y;  // [rows, out]
    long long out;
};

struct Matrices {
    Matrix of[MATRICES];
};

// The matrix that a block works on, and its first output.
struct Task {
    Matrix matrix;
    int first;
};

__device__ __forceinline__ Task taskOf(const Matrices& matrices, int outputsOfBlock) {
    int block = blockIdx.x;
    Task task = {matrices.of[0], block * outputsOfBlock};
    if (GATED) {
        return task;
    }
#pragma unroll
    for (int i = 0; i + 1 < MATRICES; ++i) {
        const int blocks = ((int)matrices.of[i].out + outputsOfBlock - 1) / outputsOfBlock;
        if (block < blocks) {
            return task;
        }
        block -= blocks;
        task = {matrices.of[i + 1], block * outputsOfBlock};
    }
    return task;
}

__device__ __forceinline__ float shifted(float sum, const Matrix& matrix, int output) {
    return matrix.bias == nullptr ? sum : sum + widen(matrix.bias[output]);
}

// Writes an output of a row. Products are rounded to x's type before anything else is done with
// them, as they are where they are a tensor of their own.
__device__ __forceinline__ void put(const Matrix& matrix, int row, int output, float sum) {
    const long long at = row * matrix.out + output;
    const float value = shifted(sum, matrix, output);
    matrix.y[at] = matrix.addend == nullptr
            ? narrow<Y_TYPE>(value)
            : narrow<Y_TYPE>(widen(matrix.addend[at]) + widen(narrow<X_TYPE>(value)));
}

__device__ __forceinline__ void putGated(
        const Matrices& matrices, int row, int output, float gate, float sum) {
    const Matrix& first = matrices.of[0];
    const float v = widen(narrow<X_TYPE>(shifted(gate, first, output)));
    const float factor =
            widen(narrow<X_TYPE>(shifted(sum, matrices.of[MATRICES - 1], output)));
    const float sigmoid = __fdividef(1.0f, 1.0f + __expf(-v * (SLOPE + CUBIC * v * v)));
    first.y[row * first.out + output] = narrow<Y_TYPE>(v * sigmoid * factor);
}
