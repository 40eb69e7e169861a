"""The physics of the virtual sites: balances close, time constants are what they say, seeds decide."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from alerts.reading import SECOND
from simulators.air import Air, Boxes
from simulators.equipment import Cabinet, Pump, Tank
from simulators.instrument import Delay, Dial, Lag
from simulators.plant import Plant
from simulators.release import PROPANE, Leak, orifice_rate
from simulators.scenario import Scenario, load
from simulators.virtual import Batch, play

ROOT = Path(__file__).parents[2]
BAY = Boxes(near=18, far=120, exchange=4.5, ventilation=24, radius=2.5, wind=2)


@pytest.fixture(scope="module")
def demo() -> Scenario:
    return load(ROOT / "simulators/scenarios/demo.yaml")


def test_vapor_pressure_of_propane_is_that_of_tables() -> None:
    """NIST: 0.836 MPa at 20 degC, 1.369 MPa at 40 degC."""
    assert PROPANE.vapor_pressure(20) == pytest.approx(0.836, rel=0.01)
    assert PROPANE.vapor_pressure(40) == pytest.approx(1.369, rel=0.01)


def test_a_third_of_propane_flashes_and_twice_that_stays_airborne() -> None:
    assert PROPANE.flash_fraction(20) == pytest.approx(0.38, abs=0.01)
    assert PROPANE.airborne_fraction(20) == pytest.approx(0.76, abs=0.02)
    assert PROPANE.flash_fraction(-60) == 0.0
    assert PROPANE.airborne_fraction(80) == 1.0


def test_orifice_rate_follows_bernoulli_and_needs_overpressure() -> None:
    """0.62 x 7.07 mm2 x sqrt(2 x 500 kg/m3 x 1 MPa) = 0.1386 kg/s."""
    assert orifice_rate(PROPANE, 3, 1.0) == pytest.approx(0.1386, rel=1e-3)
    assert orifice_rate(PROPANE, 3, 4.0) == pytest.approx(2 * orifice_rate(PROPANE, 3, 1.0))
    assert orifice_rate(PROPANE, 3, -0.1) == 0.0


def test_the_lower_explosive_limit_is_a_hundred_percent() -> None:
    """2.1 %VOL of propane at 20 degC is 38.5 g/m3."""
    assert PROPANE.percent_lel(0.0385, 20) == pytest.approx(100, rel=0.005)


def test_an_isolated_leak_drains_exactly_what_was_trapped() -> None:
    leak = Leak(PROPANE, 3)
    flowing = leak.step(0.1, 1.2)
    leak.isolate(0.4)
    drained = [leak.step(0.1, 1.2) for _ in range(2000)]
    assert drained[0] == pytest.approx(flowing, rel=0.05)
    assert drained == sorted(drained, reverse=True)
    assert sum(drained) == pytest.approx(0.4)


def test_gas_released_is_in_the_air_or_vented() -> None:
    air = Air(BAY, 0.1)
    for n in range(600):
        air.step(0.01 if n < 200 else 0.0)
    assert air.vented > 1.9
    assert air.mass + air.vented == pytest.approx(2.0, rel=1e-9)


def test_the_result_does_not_depend_on_the_length_of_the_step() -> None:
    fine, coarse = Air(BAY, 0.1), Air(BAY, 1.0)
    for _ in range(100):
        fine.step(0.005)
    for _ in range(10):
        coarse.step(0.05)
    assert fine.near() == pytest.approx(coarse.near(), rel=1e-9)
    assert fine.vented == pytest.approx(coarse.vented, rel=1e-9)


def test_steady_state_is_the_release_over_the_air_flows() -> None:
    """c_far = G / ventilation, c_near = c_far + G / exchange."""
    air = Air(BAY, 1.0)
    for _ in range(300):
        air.step(0.09)
    assert air.far() == pytest.approx(0.09 / 24)
    assert air.near() == pytest.approx(0.09 / 24 + 0.09 / 4.5)


def test_ventilation_empties_a_room_with_its_time_constant() -> None:
    """With a fast exchange the two boxes are one room of 100 m3; 5 m3/s change its air in 20 s, so 1/e is left then."""
    air = Air(Boxes(near=50, far=50, exchange=5000, ventilation=5, radius=1, wind=1), 0.1)
    air.step(1.0)
    before = air.mass
    for _ in range(200):
        air.step(0.0)
    assert air.mass / before == pytest.approx(math.exp(-1), rel=0.01)


def test_concentration_falls_with_distance_between_near_and_far_field() -> None:
    air = Air(BAY, 0.1)
    for _ in range(100):
        air.step(0.01)
    profile = [air.at(distance) for distance in (0, 1, 2, 4, 50)]
    assert profile == sorted(profile, reverse=True)
    assert profile[0] == pytest.approx(air.near())
    assert profile[-1] == pytest.approx(air.far())


@pytest.mark.parametrize("t90", [3.0, 10.0, 30.0])
def test_a_head_shows_90_percent_of_a_step_after_its_t90(t90: float) -> None:
    lag = Lag(t90, 0.1)
    for _ in range(round(t90 / 0.1)):
        lag.step(100.0)
    assert lag.value == pytest.approx(90.0, abs=0.01)


def test_a_lag_without_t90_follows_at_once() -> None:
    assert Lag(0, 0.1).step(42.0) == 42.0


def test_gas_reaches_a_head_after_its_travel_time() -> None:
    delay = Delay(0.5, 0.1)
    assert [delay.step(1.0) for _ in range(7)] == [0.0] * 5 + [1.0] * 2


def test_a_dial_rounds_to_its_resolution_and_ends_at_its_scale() -> None:
    dial = Dial(np.random.default_rng(1), (0.0, 100.0), 0.3, 0.1)
    values = [dial.read(40.0) for _ in range(2000)]
    assert all(value == round(value, 1) for value in values)
    assert np.std(values) == pytest.approx(0.3, rel=0.1)
    assert np.mean(values) == pytest.approx(40.0, abs=0.05)
    assert dial.read(300.0) == 100.0
    assert dial.read(-5.0) == 0.0


def test_a_tank_loses_what_leaves_it_and_never_goes_below_empty() -> None:
    tank = Tank(PROPANE, volume=50, fill=0.5, temperature=20, ambient=20)
    tank.step(60, inflow=0.0, outflow=2.5)
    assert tank.mass == pytest.approx(12_500 - 150)
    assert tank.level == pytest.approx(49.4)
    tank.step(3600, inflow=0.0, outflow=100)
    assert tank.mass == 0.0


def test_a_warming_tank_gains_pressure() -> None:
    tank = Tank(PROPANE, volume=50, fill=0.5, temperature=15, ambient=35)
    before = tank.gauge
    tank.step(tank.warming, 0.0, 0.0)
    assert tank.temperature == pytest.approx(35 - 20 / math.e)
    assert tank.gauge > before


def test_a_pump_adds_its_rated_pressure_a_leak_costs_some_and_a_stopped_pump_adds_none() -> None:
    tank = Tank(PROPANE, volume=50, fill=0.5, temperature=20, ambient=20)
    pump = Pump(tank, shutoff=0.6, rated=0.5, flow=12)
    assert pump.discharge(0.0) == pytest.approx(tank.gauge + 0.5)
    assert pump.discharge(0.0003) < pump.discharge(0.0)
    pump.stop()
    for _ in range(600):
        pump.step(0.1)
    assert pump.discharge(0.0) == pytest.approx(tank.gauge)
    assert pump.delivery == pytest.approx(0.0)


def test_a_pump_on_bypass_takes_nothing_from_its_tank() -> None:
    tank = Tank(PROPANE, volume=50, fill=0.5, temperature=20, ambient=20)
    pump = Pump(tank, shutoff=0.6, rated=0.5, flow=12, bypass=1.0)
    assert pump.delivery == 0.0
    assert pump.discharge(0.0) == pytest.approx(tank.gauge + 0.5)


def test_a_cable_warms_with_the_square_of_its_load_and_its_time_constant() -> None:
    cabinet = Cabinet(rated=100, rise=40, time_constant=600, ambient=24)
    cabinet.load = 200
    assert cabinet.balance() == pytest.approx(24 + 160)
    for _ in range(6000):
        cabinet.step(0.1)
    assert cabinet.cable == pytest.approx(24 + 160 * (1 - 1 / math.e), rel=1e-6)


@pytest.mark.parametrize("name", ["demo", "lpg-leak"])
def test_what_leaves_a_tank_is_what_was_released_and_pumped(name: str) -> None:
    """Over the whole incident: tank loss = pumped + leaked before isolation, and all airborne gas is in the air or vented."""
    scenario = load(ROOT / f"simulators/scenarios/{name}.yaml")
    plant = Plant(scenario.script.plant, {point.id: point.zone for point in scenario.place.sensors})
    tank, pump = plant.tanks["V-201"], plant.pumps["P-301"]
    full, pumped, isolated_at, trapped = tank.mass, 0.0, 0.0, 0.0
    timeline = {phase.at: phase for phase in scenario.script.timeline}
    for tick in range(700):
        phase = timeline.get(tick * SECOND // 10)
        if phase is not None:
            plant.begin(phase)
            if phase.isolate is not None:
                isolated_at, trapped = plant.released, phase.isolate.trapped_kg
        plant.step()
        pumped += pump.delivery * 0.1 * PROPANE.liquid_density
    air = plant.air["pump-area"]
    assert full - tank.mass == pytest.approx(pumped + isolated_at, rel=1e-9)
    assert plant.released - isolated_at == pytest.approx(trapped, rel=1e-3)
    assert air.mass + air.vented == pytest.approx(plant.airborne, rel=1e-9)
    assert plant.airborne < plant.released


def _stream(scenario: Scenario, seed: int, seconds: int = 20) -> list[Batch]:
    return [batch for _, _, batches in play(scenario, seed, seconds * SECOND) for batch in batches]


def test_the_same_seed_gives_the_same_readings_and_another_seed_others(demo: Scenario) -> None:
    first, again, other = ([batch.payload(0) for batch in _stream(demo, seed)] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_sensor_keeps_its_noise_when_another_is_added(demo: Scenario) -> None:
    fewer = demo.place.model_copy(update={"sensors": tuple(point for point in demo.place.sensors if point.id != "PT-501")})

    def of(scenario: Scenario) -> list[float]:
        return [sample.value for batch in _stream(scenario, 1) for sample in batch.samples if sample.sensor == "GT-101"]

    assert of(Scenario(demo.name, demo.script, fewer)) == of(demo)


def test_every_sensor_reports_at_its_interval_and_devices_number_their_readings(demo: Scenario) -> None:
    batches = _stream(demo, 1, seconds=10)
    rtu = [batch for batch in batches if batch.device == "rtu-1"]
    assert len(rtu) == 10
    assert [batch.first for batch in rtu] == list(range(0, 80, 8))
    assert sum(len(batch.samples) for batch in batches) == 600


def test_a_loop_current_is_sent_as_current(demo: Scenario) -> None:
    """62 degC of a range from -20 to 150 is 4 + 16 x 82 / 170 mA."""
    sensors = tuple(
        point.model_copy(update={"signal": point.signal.model_copy(update={"kind": "current"})}) if point.id == "TT-501" else point
        for point in demo.place.sensors
    )
    stream = _stream(Scenario(demo.name, demo.script, demo.place.model_copy(update={"sensors": sensors})), 1, 2)
    sample = next(sample for batch in stream for sample in batch.samples if sample.sensor == "TT-501")
    assert sample.unit == "mA"
    assert sample.value == pytest.approx(4 + 16 * (62 + 20) / 170, abs=0.05)
