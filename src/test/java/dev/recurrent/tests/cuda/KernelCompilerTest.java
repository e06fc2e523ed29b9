package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CubinCache;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.KernelCompiler;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.kernel.Sources;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Needs NVRTC but no GPU. */
@Tag("cuda")
class KernelCompilerTest {

    private static final KernelSource RECURRENCE =
            Sources.of(
                    "linear_recurrence.cu", "special_functions.cuh", "pointwise.cuh", "scan.cuh");

    @TempDir private Path folder;

    private KernelCompiler compiler(int capability) {
        return new KernelCompiler(new CubinCache(folder), capability, "13000");
    }

    @ParameterizedTest
    @ValueSource(ints = {80, 90})
    void theRecurrenceNeedsNothingBesideIt(int capability) {
        for (String x : new String[] {"float", "bfloat16"}) {
            for (int positions = 0; positions < 2; positions++) {
                Constants constants =
                        Constants.none()
                                .with("X_TYPE", x)
                                .with("A_TYPE", "float")
                                .with("LANES", 32)
                                .with("STEPS", 4)
                                .with("CHANNELS", 2)
                                .with("MOST_TEAMS", 8)
                                .with("POSITIONS", positions);
                byte[] cubin = compiler(capability).compile(RECURRENCE, constants);
                assertThat(cubin).startsWith(0x7f, 'E', 'L', 'F');
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"float", "bfloat16"})
    void theGatedRecurrenceNeedsNothingBesideIt(String type) {
        Constants constants =
                Constants.none()
                        .with("U_TYPE", type)
                        .with("G_TYPE", type)
                        .with("P_TYPE", "float")
                        .with("H_TYPE", type)
                        .with("LANES", 16)
                        .with("STEPS", 8)
                        .with("CHANNELS", 2)
                        .with("MOST_TEAMS", 8)
                        .with("POSITIONS", 1);
        KernelSource source =
                Sources.of(
                        "gated_recurrence.cu",
                        "special_functions.cuh",
                        "pointwise.cuh",
                        "rg_lru.cuh",
                        "scan.cuh");
        assertThat(compiler(80).compile(source, constants)).startsWith(0x7f, 'E', 'L', 'F');
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void theStepsNeedNothingBesideThem(int wide) {
        Constants recurrence =
                Constants.none()
                        .with("U_TYPE", "bfloat16")
                        .with("P_TYPE", "float")
                        .with("Y_TYPE", "bfloat16")
                        .with("WIDE", wide)
                        .with("SIZE", 256)
                        .with("GATED", 1)
                        .with("ROWS", 8)
                        .with("WARPS", 16)
                        .with("AHEAD", 1);
        KernelSource source =
                Sources.of(
                        "gated_recurrence_step.cu",
                        "special_functions.cuh",
                        "pointwise.cuh",
                        "rg_lru.cuh",
                        "tensor_core.cuh");
        assertThat(compiler(80).compile(source, recurrence)).startsWith(0x7f, 'E', 'L', 'F');
        Constants convolution =
                Constants.none()
                        .with("X_TYPE", "bfloat16")
                        .with("S_TYPE", wide == 1 ? "float" : "bfloat16")
                        .with("W_TYPE", "float")
                        .with("TAPS", 4)
                        .with("VECTOR", 2)
                        .with("FILTER", 4)
                        .with("THREADS", 64)
                        .with("SILU", 1);
        KernelSource step =
                Sources.of("convolution_step.cu", "special_functions.cuh", "pointwise.cuh");
        assertThat(compiler(80).compile(step, convolution)).startsWith(0x7f, 'E', 'L', 'F');
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    void theConvolutionNeedsNothingBesideIt(int taps) {
        Constants constants =
                Constants.none()
                        .with("X_TYPE", "bfloat16")
                        .with("W_TYPE", "float")
                        .with("TAPS", taps)
                        .with("VECTOR", 4)
                        .with("ITEMS", 2)
                        .with("STEPS", 4)
                        .with("WARPS", 4)
                        .with("SILU", 1)
                        .with("NORMALIZE", 1)
                        .with("POSITIONS", 1);
        KernelSource source =
                Sources.of("short_convolution.cu", "special_functions.cuh", "pointwise.cuh");
        assertThat(compiler(80).compile(source, constants)).startsWith(0x7f, 'E', 'L', 'F');
        KernelSource sum = Sources.of("column_sums.cu");
        assertThat(compiler(80).compile(sum, Constants.none().with("GROUPS", 32)))
                .startsWith(0x7f, 'E', 'L', 'F');
    }

    @ParameterizedTest
    @ValueSource(strings = {"float", "bfloat16"})
    void theNormNeedsNothingBesideIt(String type) {
        Constants constants =
                Constants.none()
                        .with("X_TYPE", type)
                        .with("W_TYPE", "float")
                        .with("U_TYPE", type)
                        .with("G_TYPE", type)
                        .with("Y_TYPE", type)
                        .with("VECTOR", 4)
                        .with("ITEMS", 2)
                        .with("WARPS", 2)
                        .with("PARTS", 1)
                        .with("BLOCKS", 1)
                        .with("CENTRED", 1);
        KernelSource source = Sources.of("rms_norm.cu", "rows.cuh");
        for (int form = 0; form < 4; form++) {
            Constants formed =
                    constants.with("UPDATE", form == 3 ? 1 : 0).with("GATE", form == 3 ? 0 : form);
            assertThat(compiler(80).compile(source, formed)).startsWith(0x7f, 'E', 'L', 'F');
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {80, 90})
    void theDeltaRuleNeedsNothingBesideIt(int capability) {
        for (String type : new String[] {"float", "bfloat16"}) {
            for (int corrects = 0; corrects < 2; corrects++) {
                Constants shared =
                        Constants.none()
                                .with("TYPE", type)
                                .with("CHUNK", 32)
                                .with("KEYS", 48)
                                .with("BETA", corrects)
                                .with("ALIGNED", corrects);
                Constants chunks =
                        shared.with("BETA_TYPE", type)
                                .with("DECAY_TYPE", "float")
                                .with("DECAY", 1)
                                .with("POSITIONS", 1);
                Constants scan = shared.with("WARPS", 2).with("LOADERS", 2).with("STAGES", 2);
                assertThat(compiler(capability).compile(tensorCores("delta_chunks.cu"), chunks))
                        .startsWith(0x7f, 'E', 'L', 'F');
                assertThat(compiler(capability).compile(tensorCores("delta_scan.cu"), scan))
                        .startsWith(0x7f, 'E', 'L', 'F');
            }
        }
    }

    private static KernelSource tensorCores(String name) {
        return Sources.of(name, "tensor_core.cuh", "tiles.cuh");
    }

    @Test
    void aRefusedSourceComesWithTheCompilersWords() {
        KernelSource broken = new KernelSource("broken.cu", "__global__ void f() { int x = y; }");
        assertThatThrownBy(() -> compiler(80).compile(broken, Constants.none().with("N", 3)))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("broken.cu does not compile with")
                .hasMessageContaining("-DN=3")
                .hasMessageContaining("identifier \"y\" is undefined");
    }
}
