package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.GatedRecurrenceStepKernel.Gate;
import dev.recurrent.blocks.mixer.MixerState;
import dev.recurrent.blocks.mixer.RealGatedLru;
import dev.recurrent.blocks.mixer.RgLru;
import dev.recurrent.blocks.mixer.RgLruConfig;
import dev.recurrent.blocks.mixer.SequenceMixer;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.GatedLinearRecurrence;
import dev.recurrent.blocks.rule.GatedRecurrenceStep;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Tensors;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The step's kernel against the portable form in float32. Weights and inputs are rounded to
 * bfloat16 first, so that products are the same in both types.
 */
@Tag("cuda")
class GatedRecurrenceStepKernelTest {

    /** fp32 rounding of sums of some hundreds of products, through slopes below 1. */
    private static final double TOLERANCE = 1e-5;

    /** Half a unit in the last of bf16's eight bits, 4e-3, of h and again of the gated h. */
    private static final double BFLOAT16_TOLERANCE = 8e-3;

    private CudaCase device;

    @BeforeEach
    void open() {
        device = new CudaCase();
    }

    @AfterEach
    void close() {
        if (device != null) {
            device.close();
        }
    }

    /**
     * A model's sizes; then blocks that fill no slice of outputs and no piece of inputs, and more
     * than all warps have under way; rows of all tiles.
     */
    @ParameterizedTest
    @CsvSource({
        "1, 10, 256",
        "16, 10, 256",
        "2, 3, 8",
        "8, 2, 40",
        "9, 1, 24",
        "17, 2, 264",
        "4, 1, 600",
        "3, 1, 72"
    })
    void followsThePortableForm(int batch, int blocks, int size) {
        for (MatrixPrecision precision :
                new MatrixPrecision[] {MatrixPrecision.FULL, MatrixPrecision.BFLOAT16}) {
            for (ScalarType type : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
                if (precision == MatrixPrecision.BFLOAT16 || type == ScalarType.FLOAT32) {
                    check(batch, blocks, size, precision, type, false, true);
                    check(batch, blocks, size, precision, type, true, true);
                }
            }
        }
    }

    /** In halves a load of 16 bytes has eight outputs, in fp32 four. */
    @Test
    void otherSizesGoTheUsualWay() {
        check(3, 2, 4, MatrixPrecision.FULL, ScalarType.FLOAT32, true, true);
        check(3, 2, 4, MatrixPrecision.BFLOAT16, ScalarType.FLOAT32, true, false);
        check(3, 2, 10, MatrixPrecision.FULL, ScalarType.FLOAT32, true, false);
    }

    private void check(
            int batch,
            int blocks,
            int size,
            MatrixPrecision precision,
            ScalarType type,
            boolean mixed,
            boolean inPlace) {
        RealGatedLru unit = unit(blocks, size);
        ParameterStore store = new ParameterStore(device.manager, false);
        int width = blocks * size;
        NDArray u = rounded(1, batch, 1, width);
        NDArray gate = rounded(2, batch, 1, width);
        NDArray memory = device.normal(ScalarType.FLOAT32, 3, batch, width);
        long[] places = ConvolutionStepKernelTest.places(batch, mixed);
        Positions positions = Positions.of(device.manager, batch, 1, places);
        NDArray entering = memory.duplicate();
        GatedLinearRecurrence.Output wanted =
                Kernels.without(
                        () ->
                                GradientMode.off(
                                        () -> unit.step(store, u, gate, entering, positions)));
        for (int row = 0; row < batch; row++) {
            if (places[row] == 0 && inPlace) {
                memory.set(new NDIndex(row), Float.NaN);
            }
        }
        NDArray again = memory.duplicate();
        NDArray typedU = Torch.cast(u, type);
        // A part of a wider tensor, as a joint projection makes it.
        NDArray typedGate = Aten.narrow(Torch.cast(gate.concat(gate, 2), type), 2, width, width);
        device.poison(u.size(), u.size() / 2);
        GatedLinearRecurrence.Output output =
                step(precision, unit, store, typedU, typedGate, memory, positions);
        GatedLinearRecurrence.Output repeated =
                step(precision, unit, store, typedU, typedGate, again, positions);
        String what =
                precision
                        + " "
                        + type
                        + " "
                        + batch
                        + " x "
                        + blocks
                        + " x "
                        + size
                        + Arrays.toString(places);
        assertThat(output.state() == memory).as(what).isEqualTo(inPlace);
        assertThat(Torch.typeOf(output.values())).as(what).isEqualTo(type);
        boolean rounds = type == ScalarType.BFLOAT16 || !inPlace;
        Tensors.assertClose(
                what + " memory",
                output.state(),
                wanted.state(),
                // The usual way rounds products in bfloat16.
                inPlace ? TOLERANCE : BFLOAT16_TOLERANCE);
        Tensors.assertClose(
                what,
                ConvolutionStepKernelTest.real(wide(output.values()), places),
                ConvolutionStepKernelTest.real(wanted.values(), places),
                rounds ? BFLOAT16_TOLERANCE : TOLERANCE);
        assertThat(repeated.state().toFloatArray())
                .as(what)
                .isEqualTo(output.state().toFloatArray());
    }

    private static GatedLinearRecurrence.Output step(
            MatrixPrecision precision,
            RealGatedLru unit,
            ParameterStore store,
            NDArray u,
            NDArray gate,
            NDArray memory,
            Positions positions) {
        return precision.during(
                () -> GradientMode.off(() -> unit.step(store, u, gate, memory, positions)));
    }

    private static NDArray wide(NDArray array) {
        return Torch.cast(array, ScalarType.FLOAT32);
    }

    /** Values that bfloat16 has, as float32. */
    private NDArray rounded(long seed, long... shape) {
        return wide(device.normal(ScalarType.BFLOAT16, seed, shape));
    }

    private RealGatedLru unit(int blocks, int size) {
        RealGatedLru unit = new RealGatedLru((long) blocks * size, blocks, Initialization.fanIn(1));
        unit.initialize(device.manager, DataType.FLOAT32, new Shape(1, 1, (long) blocks * size));
        int seed = 10;
        for (Map.Entry<String, Parameter> entry : SizedBlock.parametersOf(unit).entrySet()) {
            NDArray array = entry.getValue().getArray();
            NDArray drawn = device.normal(ScalarType.FLOAT32, seed++, array.getShape().getShape());
            boolean weight = entry.getKey().endsWith("weight");
            // Memories of some to some hundreds of tokens, as trained models have them.
            NDArray scaled =
                    weight
                            ? drawn.div((float) Math.sqrt(size))
                            : entry.getKey().endsWith("param") ? drawn.sub(3) : drawn;
            Torch.copyInto(array, wide(Torch.cast(scaled, ScalarType.BFLOAT16)));
        }
        return unit;
    }

    /** Without a gate h itself is returned, rounded to u's type. */
    @Test
    void theOutputNeedNotBeGated() {
        RealGatedLru unit = unit(2, 16);
        Map<String, Parameter> parameters = SizedBlock.parametersOf(unit);
        NDArray u = device.normal(ScalarType.BFLOAT16, 1, 5, 1, 32);
        NDArray memory = device.normal(ScalarType.FLOAT32, 2, 5, 32);
        Positions positions = Positions.range(device.manager, 5, 1, 4);
        GatedLinearRecurrence.Output output =
                MatrixPrecision.BFLOAT16.during(
                        () ->
                                GradientMode.off(
                                        () ->
                                                GatedRecurrenceStep.apply(
                                                        u,
                                                        gate(parameters, "input"),
                                                        gate(parameters, "recurrent"),
                                                        parameters
                                                                .get("recurrent_param")
                                                                .getArray(),
                                                        null,
                                                        memory,
                                                        positions)));
        assertThat(Torch.typeOf(output.values())).isEqualTo(ScalarType.BFLOAT16);
        NDArray rounded = wide(Torch.cast(memory, ScalarType.BFLOAT16));
        assertThat(wide(output.values()).toFloatArray()).isEqualTo(rounded.toFloatArray());
    }

    private static Gate gate(Map<String, Parameter> parameters, String name) {
        return new Gate(
                parameters.get(name + "_gate_weight").getArray(),
                parameters.get(name + "_gate_bias").getArray());
    }

    /** Decoding keeps the state where it lies, and ends where one pass over all tokens does. */
    @Test
    void aMixersStepsAreOnePass() {
        RgLru mixer = new RgLru(12, new RgLruConfig(80, 2, 4), Initialization.normal(0.3));
        mixer.initialize(device.manager, DataType.FLOAT32, new Shape(1, 1, 12));
        ParameterStore store = new ParameterStore(device.manager, false);
        int length = 9;
        NDArray x = device.normal(ScalarType.FLOAT32, 1, 2, length, 12);
        long[] first = {0, 1, 2, 3, 4, 5, 6, 7, 8};
        long[] second = {0, 1, 2, 3, 0, 1, -1, -1, -1};
        long[] all = new long[2 * length];
        System.arraycopy(first, 0, all, 0, length);
        System.arraycopy(second, 0, all, length, length);
        SequenceMixer.Output whole = forward(mixer, store, x, null, all);
        SequenceMixer.Output part =
                forward(mixer, store, Aten.narrow(x, 1, 0, 2), null, 0, 1, 0, 1);
        MixerState state = part.state();
        for (int t = 2; t < length; t++) {
            part = forward(mixer, store, Aten.narrow(x, 1, t, 1), state, first[t], second[t]);
            for (int i = 0; i < 2; i++) {
                assertThat(part.state().arrays().get(i)).isSameAs(state.arrays().get(i));
            }
            state = part.state();
            Tensors.assertClose("token " + t, part.y(), Aten.narrow(whole.y(), 1, t, 1), TOLERANCE);
        }
        for (int i = 0; i < 2; i++) {
            Tensors.assertClose(
                    "state " + i, state.arrays().get(i), whole.state().arrays().get(i), TOLERANCE);
        }
    }

    private SequenceMixer.Output forward(
            RgLru mixer, ParameterStore store, NDArray x, MixerState state, long... places) {
        Positions positions = Positions.of(device.manager, 2, x.getShape().get(1), places);
        return GradientMode.off(() -> mixer.forward(store, x, positions, state, false));
    }
}
