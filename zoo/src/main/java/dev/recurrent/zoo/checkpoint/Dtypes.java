package dev.recurrent.zoo.checkpoint;

import dev.recurrent.blocks.torch.ScalarType;
import java.util.Arrays;
import java.util.stream.Collectors;

/** The names that safetensors gives element types. */
final class Dtypes {

    private Dtypes() {}

    /** Returns the type of a name, or null if we have none. */
    static ScalarType type(String name) {
        return switch (name) {
            case "BOOL" -> ScalarType.BOOL;
            case "U8" -> ScalarType.UINT8;
            case "I8" -> ScalarType.INT8;
            case "I16" -> ScalarType.INT16;
            case "I32" -> ScalarType.INT32;
            case "I64" -> ScalarType.INT64;
            case "F16" -> ScalarType.FLOAT16;
            case "BF16" -> ScalarType.BFLOAT16;
            case "F32" -> ScalarType.FLOAT32;
            case "F64" -> ScalarType.FLOAT64;
            default -> null;
        };
    }

    /** Returns the name of a type. */
    static String name(ScalarType type) {
        return switch (type) {
            case BOOL -> "BOOL";
            case UINT8 -> "U8";
            case INT8 -> "I8";
            case INT16 -> "I16";
            case INT32 -> "I32";
            case INT64 -> "I64";
            case FLOAT16 -> "F16";
            case BFLOAT16 -> "BF16";
            case FLOAT32 -> "F32";
            case FLOAT64 -> "F64";
        };
    }

    /** Returns all names, for messages. */
    static String names() {
        return Arrays.stream(ScalarType.values())
                .map(Dtypes::name)
                .collect(Collectors.joining(", "));
    }

    /** Returns whether values of a type are floating-point numbers. */
    static boolean isFloat(ScalarType type) {
        return switch (type) {
            case FLOAT16, BFLOAT16, FLOAT32, FLOAT64 -> true;
            case BOOL, UINT8, INT8, INT16, INT32, INT64 -> false;
        };
    }
}
