package dev.recurrent.blocks.torch;

import ai.djl.ndarray.types.DataType;

/**
 * libtorch's element types ({@code c10::ScalarType}), those that DJL's {@link DataType} lacks
 * included.
 */
public enum ScalarType {
    UINT8(0, 1),
    INT8(1, 1),
    INT16(2, 2),
    INT32(3, 4),
    INT64(4, 8),
    FLOAT16(5, 2),
    FLOAT32(6, 4),
    FLOAT64(7, 8),
    BOOL(11, 1),
    BFLOAT16(15, 2);

    private final int code;
    private final int bytes;

    ScalarType(int code, int bytes) {
        this.code = code;
        this.bytes = bytes;
    }

    /** Returns libtorch's number for this type. */
    public int code() {
        return code;
    }

    /** Returns the size of one element in bytes. */
    public int bytes() {
        return bytes;
    }

    /**
     * Returns the type with libtorch's number {@code code}.
     *
     * @param code a {@code c10::ScalarType}
     * @return the type
     * @throws TorchException if this class does not know the number
     */
    static ScalarType of(int code) {
        for (ScalarType type : values()) {
            if (type.code == code) {
                return type;
            }
        }
        throw new TorchException("libtorch scalar type " + code + " is not supported");
    }
}
