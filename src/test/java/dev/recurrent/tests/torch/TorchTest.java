package dev.recurrent.tests.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.blocks.torch.TorchException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TorchTest {

    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager(Device.cpu());
    }

    @AfterEach
    void close() {
        manager.close();
    }

    @Test
    void callsOperatorsWithEveryKindOfArgument() {
        NDArray x = manager.create(new float[] {1, 2, 3, 4}, new Shape(2, 2));
        // cumsum(Tensor self, int dim, *, ScalarType? dtype)
        NDArray sums = Torch.call(manager, "aten::cumsum", x, 1, Torch.some(ScalarType.FLOAT64));
        assertThat(sums.toDoubleArray()).containsExactly(1, 3, 3, 7);
        // dropout(Tensor input, float p, bool train)
        assertThat(Torch.call(manager, "aten::dropout", x, 1.0, true).toFloatArray())
                .containsOnly(0);
        assertThat(Torch.call(manager, "aten::dropout", x, 1.0, false).toFloatArray())
                .containsExactly(1, 2, 3, 4);
        // where.self(Tensor condition, Tensor self, Tensor other)
        assertThat(Torch.call(manager, "aten::where.self", x.gt(2), x, x.neg()).toFloatArray())
                .containsExactly(-1, -2, 3, 4);
        assertThat(Torch.some(null)).isNull();
    }

    @Test
    void tellsWhetherElementsLieRowByRow() {
        NDArray x = manager.arange(24).reshape(2, 3, 4);
        assertThat(TensorMemory.isContiguous(x)).isTrue();
        assertThat(TensorMemory.isContiguous(x.get("1:"))).isTrue();
        assertThat(TensorMemory.isContiguous(x.get(":, 1:"))).isFalse();
        assertThat(TensorMemory.isContiguous(x.swapAxes(0, 1))).isFalse();
        assertThat(TensorMemory.isContiguous(x.get(":, 1:2, :1"))).isFalse();
        assertThat(TensorMemory.isContiguous(x.get(":1, 1:2"))).isTrue();
        assertThat(TensorMemory.isContiguous(manager.create(1f).broadcast(3))).isFalse();
        assertThat(TensorMemory.isContiguous(manager.create(1f))).isTrue();
        assertThat(TensorMemory.isContiguous(manager.create(new Shape(0, 3)).swapAxes(0, 1)))
                .isTrue();
    }

    @Test
    void tellsHowFarNeighboursLieApart() {
        NDArray x = manager.arange(24).reshape(2, 3, 4);
        assertThat(TensorMemory.strides(x)).containsExactly(12, 4, 1);
        assertThat(TensorMemory.strides(x.get(":, 1:, 2:").swapAxes(0, 1)))
                .containsExactly(4, 12, 1);
        assertThat(TensorMemory.strides(manager.create(1f))).isEmpty();
    }

    @Test
    void callsOperatorsWithSeveralResults() {
        NDArray x = manager.create(new float[] {3, 1, 2});
        // sort(Tensor self, int dim, bool descending) -> (values, indices)
        NDArray[] sorted = Torch.callAll(manager, "aten::sort", 2, x, 0, false);
        assertThat(sorted[0].toFloatArray()).containsExactly(1, 2, 3);
        assertThat(sorted[1].toLongArray()).containsExactly(1, 2, 0);
    }

    @Test
    void resultsBelongToTheNamedManager() {
        NDArray x = manager.create(1f);
        NDArray result;
        try (NDManager scope = manager.newSubManager()) {
            result = Torch.call(scope, "aten::neg", x);
            assertThat(result.getManager()).isSameAs(scope);
        }
        assertThat(result.isReleased()).isTrue();
        assertThat(x.isReleased()).isFalse();
    }

    @Test
    void autogradRecordsCalls() {
        NDArray x = manager.create(new float[] {0.5f, -2});
        x.setRequiresGradient(true);
        try (GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
            collector.backward(Torch.call(manager, "aten::square", x).sum());
        }
        assertThat(x.getGradient().toFloatArray()).containsExactly(1, -4);
    }

    @Test
    void autogradRecordsCasts() {
        NDArray x = manager.create(new float[] {0.5f, -2});
        x.setRequiresGradient(true);
        try (GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
            NDArray wide = Torch.cast(x, ScalarType.FLOAT64);
            collector.backward(wide.mul(wide).sum());
        }
        assertThat(x.getGradient().toFloatArray()).containsExactly(1, -4);
    }

    @Test
    void saysWhatCouldNotBeCalledWithWhat() {
        NDArray a = manager.zeros(new Shape(2, 3));
        NDArray b = manager.zeros(new Shape(2, 3), DataType.INT64);
        assertThatThrownBy(() -> Torch.call(manager, "aten::mm", a, b))
                .isInstanceOf(TorchException.class)
                .hasMessage("aten::mm(FLOAT32(2, 3)@cpu(), INT64(2, 3)@cpu()) failed");
        assertThatThrownBy(() -> Torch.call(manager, "aten::no_such_operator", a))
                .isInstanceOf(TorchException.class)
                .hasMessageContaining("aten::no_such_operator");
        assertThatThrownBy(() -> Torch.call(manager, "aten::neg", "text"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("java.lang.String");
    }

    /** One and a half is exact in every floating type; one in every type. */
    @ParameterizedTest
    @EnumSource
    void castsToEveryType(ScalarType type) {
        boolean whole =
                switch (type) {
                    case FLOAT16, FLOAT32, FLOAT64, BFLOAT16 -> false;
                    default -> true;
                };
        NDArray x = manager.create(new float[] {0, whole ? 1 : 1.5f});
        NDArray cast = Torch.cast(x, type);
        assertThat(Torch.typeOf(cast)).isEqualTo(type);
        assertThat(Torch.cast(cast, ScalarType.FLOAT32)).isEqualTo(x);
        assertThat(Torch.cast(cast, type)).isSameAs(cast);
    }

    /** Eight bits of significand: 1 + 2⁻⁷ is a number, 1 + 2⁻⁸ lies halfway and goes to even. */
    @Test
    void bfloat16RoundsToNearestEven() {
        NDArray x = manager.create(new float[] {1 + 0x1p-7f, 1 + 0x1p-8f, 1 + 0x1.8p-7f, 1e38f});
        NDArray half = Torch.cast(x, ScalarType.BFLOAT16);
        assertThat(Torch.cast(half, ScalarType.FLOAT32).toFloatArray())
                .containsExactly(1 + 0x1p-7f, 1, 1 + 0x1p-6f, 0x1.2cp126f);
    }

    @Test
    void createsTensorsOfEveryType() {
        for (ScalarType type : ScalarType.values()) {
            NDArray made = Torch.empty(manager, new Shape(2, 0, 3), type, Device.cpu());
            assertThat(made.getShape()).isEqualTo(new Shape(2, 0, 3));
            assertThat(Torch.typeOf(made)).isEqualTo(type);
        }
    }

    @Test
    void viewsMemoryWithoutCopying() {
        NDArray x = manager.create(new float[] {1, 2, 3, 4, 5, 6});
        NDArray view =
                TensorMemory.fromMemory(
                        manager,
                        TensorMemory.address(x) + Float.BYTES,
                        new Shape(2, 2),
                        ScalarType.FLOAT32);
        assertThat(view.toFloatArray()).containsExactly(2, 3, 4, 5);
        Torch.copyInto(view, manager.create(new double[] {-1, -2}));
        assertThat(x.toFloatArray()).containsExactly(1, -1, -2, -1, -2, 6);
    }

    @Test
    void scalarsAreMadeOnceAndOutliveScopes() {
        NDArray made;
        try (TensorScope scope = new TensorScope()) {
            made = scope.keep(manager.create(2f).mul(Scalars.of(0.123)));
        }
        assertThat(made.getFloat()).isEqualTo(0.246f);
        assertThat(Scalars.of(0.123)).isSameAs(Scalars.of(0.123));
        assertThat(Scalars.of(0.123).getFloat()).isEqualTo(0.123f);
    }

    @Test
    void scopesCloseWhatIsNotKept() {
        NDArray before = manager.create(1f);
        NDArray made;
        NDArray kept;
        try (TensorScope outer = new TensorScope()) {
            try (TensorScope inner = new TensorScope()) {
                made = Torch.call(manager, "aten::neg", before);
                kept = inner.keep(before.add(made));
            }
            assertThat(made.isReleased()).isTrue();
            made = outer.keep(before.neg());
        }
        assertThat(made.isReleased()).isFalse();
        assertThat(kept.isReleased()).isFalse();
        assertThat(before.isReleased()).isFalse();
    }
}
