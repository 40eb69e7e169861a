"""The physics of the pieces of plant: what goes in is what is there or went out, and time constants are what they say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from simulators.air import Air, Boxes
from simulators.boiler import Boiler, latent_heat, steam_pressure
from simulators.circuit import Circuit
from simulators.firewater import SETTLING, FireWater
from simulators.plant import Plant
from simulators.refrigeration import Refrigeration
from simulators.release import AMMONIA, ATMOSPHERE, GAS_CONSTANT, ZERO_CELSIUS
from simulators.scenario import load
from simulators.script_units import UnitSpec
from simulators.space import FRESH, ConfinedSpace
from simulators.storage import DAY, StorageTank
from simulators.unit import Unit
from simulators.units import KINDS, build

SPECS: TypeAdapter[UnitSpec] = TypeAdapter(UnitSpec)
SCENARIOS = Path(__file__).parents[2] / "simulators" / "scenarios"
STORAGE = {"kind": "storage", "volume_m3": 1000, "fill": 0.5, "temperature_c": 20, "ambient_c": 20, "relief_kpa": 4}
CIRCUIT = {"kind": "circuit", "rated_a": 100, "load_a": 50, "rise_k": 40, "time_constant": "4m", "ambient_c": 24, "residual_ma": 45}
FIRE_WATER = {
    "kind": "fire_water",
    "area_m2": 20,
    "level_m": 3,
    "jockey_mpa": 0.8,
    "jockey_m3_h": 8,
    "main_mpa": 1,
    "main_m3_h": 200,
    "start_mpa": 0.6,
}
BOILER = {"kind": "boiler", "water_kg": 8000, "fill": 0.5, "temperature_c": 170, "feed_c": 90, "relief_mpa": 1.3, "relief_kg_h": 3000}
COLD = {
    "kind": "refrigeration",
    "load_kw": 250,
    "evaporating_c": -10,
    "condensing_c": 33,
    "coolant_c": 25,
    "cold_kj_k": 40000,
    "warm_kj_k": 6000,
    "receiver_m3": 2,
    "fill": 0.4,
}
SPACE = {"kind": "confined_space", "volume_m3": 60, "floor_m2": 20, "ventilation_m3_s": 0.6}


def made(spec: dict[str, Any], **knobs: float) -> Any:
    """The unit of a spec with these knobs turned."""
    unit = build(SPECS.validate_python(spec | {"id": "U-1"}))
    unit.turn(knobs)
    return unit


def run(unit: Unit, seconds: float, step: float = 1.0) -> None:
    for _ in range(round(seconds / step)):
        unit.step(step)


@pytest.mark.parametrize("spec", [STORAGE, CIRCUIT, FIRE_WATER, BOILER, COLD, SPACE], ids=lambda spec: spec["kind"])
def test_a_unit_has_every_quantity_and_knob_it_names_and_rests_when_nothing_is_turned(spec: dict[str, Any]) -> None:
    unit = made(spec)
    assert type(unit) is KINDS[spec["kind"]]
    assert all(isinstance(getattr(unit, knob), float | int) for knob in unit.KNOBS)
    before = {quantity: unit.truth(quantity)() for quantity in unit.QUANTITIES}
    run(unit, 600)
    assert {quantity: unit.truth(quantity)() for quantity in unit.QUANTITIES} == pytest.approx(before, rel=1e-6, abs=1e-6)


def test_a_tank_gains_what_flows_in_loses_what_flows_out_and_spills_the_rest() -> None:
    tank: StorageTank = made(STORAGE, inflow_m3_h=360, outflow_m3_h=60)
    run(tank, 3600)
    assert tank.liquid == pytest.approx(800)
    run(tank, 3600)
    assert tank.level == 100.0
    assert tank.spilled == pytest.approx(100)


def test_gas_that_left_a_tank_and_gas_that_is_left_add_up() -> None:
    tank: StorageTank = made(STORAGE, inflow_m3_h=300, vent_open=0.02)
    before = tank.moles
    run(tank, 900)
    assert tank.relieved > 0
    assert tank.moles + tank.vented + tank.relieved == pytest.approx(before, rel=1e-12)


def test_a_free_vent_passes_what_the_filling_displaces() -> None:
    """300 m3/h at 1 atm and 20 degC are 3.47 mol/s; the vent passes 20 mol/s for each kPa."""
    tank: StorageTank = made(STORAGE, inflow_m3_h=300)
    run(tank, 60, 0.1)
    displaced = 300 / 3600 * ATMOSPHERE * 1e6 / (GAS_CONSTANT * (20 + ZERO_CELSIUS))
    assert tank.pressure == pytest.approx(displaced / 20, rel=0.01)


def test_a_blocked_vent_compresses_the_gas_until_the_relief_valve_holds_it() -> None:
    """Boyle: 500 m3 of gas into 491.7 m3 is 1.7 % of an atmosphere; later the relief valve passes the filling at 4.17 kPa."""
    tank: StorageTank = made(STORAGE, inflow_m3_h=300, vent_open=0.0)
    run(tank, 100)
    assert tank.pressure == pytest.approx(101.325 * (500 / (500 - 300 / 36) - 1), rel=1e-6)
    run(tank, 500)
    assert tank.pressure == pytest.approx(4.18, abs=0.03)


def test_draining_behind_a_blocked_vent_sucks_the_tank_in() -> None:
    tank: StorageTank = made(STORAGE, outflow_m3_h=300, vent_open=0.0)
    run(tank, 60)
    assert tank.pressure < -0.9


def test_the_result_of_a_tank_hardly_depends_on_the_step() -> None:
    fine, coarse = made(STORAGE, inflow_m3_h=300, vent_open=0.05), made(STORAGE, inflow_m3_h=300, vent_open=0.05)
    run(fine, 300, 0.1)
    run(coarse, 300, 10)
    assert coarse.pressure == pytest.approx(fine.pressure, rel=0.05)


def test_a_tank_follows_the_day_with_its_time_constant() -> None:
    """A first-order lag of 30 h lets 1/sqrt(1 + (2 pi 30/24)^2) = 12.6 % of the swing through."""
    tank: StorageTank = made(STORAGE | {"swing_k": 8})
    run(tank, 6 * DAY, 60)
    seen = []
    for _ in range(1440):
        tank.step(60)
        seen.append(tank.temperature)
    assert (max(seen) - min(seen)) / 2 == pytest.approx(8 * 0.126, rel=0.03)


def test_heating_a_tank_settles_at_the_power_over_the_loss() -> None:
    tank: StorageTank = made(STORAGE, heating_kw=50)
    run(tank, 30 * 3600, 60)
    final = 50 * 30 * 3600 / (740 * 2.2 * 500)
    assert tank.temperature - 20 == pytest.approx(final * (1 - 1 / math.e), rel=0.01)


def test_a_joint_warms_with_its_time_constant_and_cools_when_the_breaker_opens() -> None:
    circuit: Circuit = made(CIRCUIT, load_a=100)
    run(circuit, 240)
    assert circuit.cable == pytest.approx(34 + 30 * (1 - 1 / math.e))
    circuit.turn({"closed": 0.0})
    before = circuit.cable
    run(circuit, 240)
    assert circuit.cable - 24 == pytest.approx((before - 24) / math.e)
    assert (circuit.current, circuit.residual) == (0.0, 0.0)


def test_residual_current_grows_in_a_straight_line() -> None:
    circuit: Circuit = made(CIRCUIT, growth_ma_min=120)
    run(circuit, 90, 0.1)
    assert circuit.residual == pytest.approx(45 + 180)


def test_an_arc_burns_every_other_second_and_doubles_the_heat() -> None:
    circuit: Circuit = made(CIRCUIT, arcing=1.0)
    seen = []
    for _ in range(100):
        circuit.step(0.1)
        seen.append(circuit.residual)
    assert {round(value) for value in seen} == {45, 245}
    assert circuit.arcs == 5
    run(circuit, 3600)
    assert circuit.cable == pytest.approx(24 + 2 * 10, rel=1e-3)


def test_a_break_without_the_main_pump_empties_the_main_of_pressure_in_seconds() -> None:
    main: FireWater = made(FIRE_WATER, leak_m3_h=160, available=0.0)
    run(main, SETTLING)
    assert main.header < 0.8 * 0.45
    run(main, 60)
    assert main.header < 0.02


def test_the_main_pump_starts_by_itself_when_the_pressure_falls_and_runs_on() -> None:
    main: FireWater = made(FIRE_WATER, demand_m3_h=100)
    run(main, 60)
    assert main.started
    assert main.header > 0.7
    main.turn({"demand_m3_h": 0.0})
    run(main, 60)
    assert main.started


def test_the_reservoir_loses_what_the_openings_pass() -> None:
    main: FireWater = made(FIRE_WATER, leak_m3_h=160)
    run(main, 30)
    volume, delivery = main.volume, main.delivery
    run(main, 360)
    assert volume - main.volume == pytest.approx(delivery / 10, rel=0.02)
    main.turn({"refill_m3_h": delivery})
    level = main.level
    run(main, 360)
    assert main.level == pytest.approx(level, rel=0.01)


def test_steam_pressure_and_latent_heat_are_those_of_tables() -> None:
    """IAPWS: 0.10142 MPa at 100, 1.0028 at 180, 1.5549 at 200 degC; 2014 kJ/kg at 180 degC."""
    assert [steam_pressure(celsius) for celsius in (100, 180, 200)] == pytest.approx([0.10142, 1.0028, 1.5549], rel=1e-3)
    assert latent_heat(180) == pytest.approx(2014, rel=0.02)


def test_a_boiler_keeps_its_water_account_and_climbs_when_overfired() -> None:
    boiler: Boiler = made(BOILER, firing_kw=900.0, steam_kg_h=1000.0, feed_kg_h=1000.0)
    before = boiler.pressure
    run(boiler, 600)
    assert boiler.pressure > before
    assert boiler.mass == pytest.approx(4000 + boiler.fed - boiler.steamed)
    assert boiler.level == pytest.approx(50)


def test_the_safety_valve_of_a_boiler_holds_it_near_its_set_pressure() -> None:
    boiler: Boiler = made(BOILER, firing_kw=1200.0)
    run(boiler, 3600)
    assert boiler.relief > 0
    assert 1.3 < boiler.pressure < 1.3 * 1.04
    assert boiler.mass == pytest.approx(4000 - boiler.steamed)


def test_ammonia_has_the_vapor_pressure_of_tables() -> None:
    """0.857 MPa at 20 degC, 0.2908 at -10 degC; 1 g/m3 at 20 degC is 1,412 ppm."""
    assert AMMONIA.vapor_pressure(20) == pytest.approx(0.857, rel=0.015)
    assert AMMONIA.vapor_pressure(-10) == pytest.approx(0.2908, rel=0.015)
    assert AMMONIA.ppm(0.001, 20) == pytest.approx(1412, rel=0.005)


def test_without_cooling_all_heat_warms_the_condenser() -> None:
    """(250 kW + 81.7 kW of work) / 6000 kJ/K are 3.3 K a minute."""
    plant: Refrigeration = made(COLD, cooling=0.0)
    power = plant.capacity + plant.work
    before = plant.discharge
    run(plant, 60)
    assert power == pytest.approx(331.7, rel=0.001)
    assert plant.condensing - 33 == pytest.approx(power / 100, rel=0.03)
    assert plant.discharge > before


def test_a_stopped_compressor_lets_the_cold_side_warm_and_the_suction_rise() -> None:
    plant: Refrigeration = made(COLD, running=0.0)
    before = plant.suction
    run(plant, 160)
    assert plant.evaporating == pytest.approx(-10 + 250 * 160 / 40000)
    assert plant.suction > before


def test_air_of_a_space_is_changed_with_its_time_constant() -> None:
    """0.6 m3/s change 60 m3 in 100 s; inert gas displaces oxygen in proportion."""
    space: ConfinedSpace = made(SPACE, ventilation_m3_s=0.3, inert_m3_s=0.3)
    run(space, 100)
    assert space.oxygen == pytest.approx(FRESH * (0.5 + 0.5 / math.e))
    run(space, 3000)
    assert space.oxygen == pytest.approx(FRESH / 2)


def test_a_closed_space_loses_what_is_used_and_gains_what_comes_out() -> None:
    space: ConfinedSpace = made(SPACE, ventilation_m3_s=0.0, uptake_m3_s=0.006, gas_m3_s=6e-6)
    run(space, 100)
    assert space.oxygen == pytest.approx(FRESH - 1.0, abs=1e-3)
    assert space.gas == pytest.approx(10, rel=1e-3)


def test_dust_settles_and_is_carried_off() -> None:
    """6 mg/s against 0.6 m3/s of air and 20 m2 of floor at 3 mm/s."""
    space: ConfinedSpace = made(SPACE, dust_mg_s=6.0)
    run(space, 1000)
    assert space.dust == pytest.approx(6 / 0.66, rel=1e-3)
    space.turn({"dust_mg_s": 0.0})
    run(space, 60 / 0.66)
    assert space.dust == pytest.approx(6 / 0.66 / math.e, rel=0.01)


def test_a_fan_that_runs_up_clears_the_air_faster_and_loses_no_gas() -> None:
    boxes = Boxes(near=20, far=100, exchange=5, ventilation=2, radius=3, wind=1)
    still, blown = Air(boxes, 1.0), Air(boxes, 1.0)
    for air in (still, blown):
        air.step(1.0)
    blown.turn({"ventilation_m3_s": 10})
    for air in (still, blown):
        for _ in range(60):
            air.step(0.0)
    assert blown.mass < still.mass / 3
    assert blown.mass + blown.vented == pytest.approx(1.0)


def test_gas_that_the_wind_carries_on_is_in_the_next_zone() -> None:
    """Of what the engine room's fan carries off, a tenth goes through the air of the dock, one step later."""
    scenario = load(SCENARIOS / "ammonia-release.yaml")
    plant = Plant(scenario.script.plant, {point.id: point.zone for point in scenario.place.sensors})
    room, dock = plant.air["engine-room"], plant.air["loading-dock"]
    receiver, timeline = plant.tanks["K-1"], {phase.at: phase for phase in scenario.script.timeline}
    full = receiver.mass
    for tick in range(2300):
        if tick * 100_000_000 in timeline:
            plant.begin(timeline[tick * 100_000_000])
        carried = room.vented / 10
        plant.step()
    assert full - receiver.mass == pytest.approx(plant.released)
    assert room.mass + room.vented == pytest.approx(plant.airborne)
    assert dock.mass + dock.vented == pytest.approx(carried)
